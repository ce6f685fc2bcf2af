"""What a server says of the cluster that it is to run tasks on, before it joins."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

import servers
from disync.cluster import RayOptions, require
from disync.settings import Settings

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t"}


@pytest.mark.parametrize(
    ("host", "environ", "warned"),
    [
        ("0.0.0.0", TOKEN, True),
        ("0.0.0.0", TOKEN | {"RAY_USE_TLS": "1"}, False),
        ("127.0.0.1", TOKEN, False),
        ("localhost", TOKEN, False),
    ],
)
def test_a_cluster_that_is_not_encrypted_is_warned_of(
    tmp_path: Path, host: str, environ: dict[str, str], warned: bool
) -> None:
    settings = Settings(home=tmp_path, store_url="postgresql://nowhere/disync")
    with capture_logs() as told:
        require(settings, RayOptions(f"{host}:{servers.free_port()}"), environ)  # where nothing listens
    assert ["not encrypted" in line["event"] for line in told] == [True] * warned
