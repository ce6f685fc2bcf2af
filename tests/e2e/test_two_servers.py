"""Two API processes over one store: one request counts once, and either's workers carry on what the other's began."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from test_crash import World, check, total, until

import servers
from disync.gateway.client import Client
from disync.gateway.spec import Spec

GET = Spec.load().operations["ListProjects"]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    return {"DISYNC_STORE_URL": request.getfixturevalue("postgres_database")}


@pytest.fixture
def first(tmp_path: Path, store: dict[str, str]) -> Iterator[servers.Service]:
    with servers.disync(tmp_path, **store) as service:
        yield service


def send(service: servers.Service, headers: dict[str, str]) -> bytes:
    """The same signed request, to whichever server: the host that was signed stays."""
    return urllib3.request("POST", f"http://{service.address}/", headers=headers, retries=False).data


def test_a_request_counts_once_for_both_and_after_a_restart(
    first: servers.Service, tmp_path: Path, store: dict[str, str]
) -> None:
    client = Client(f"http://{first.address}", *first.key)
    one, two = (client.signed(GET, {}).headers for _ in range(2))
    with servers.disync(tmp_path, datahub=False, **store) as second:
        assert b"PageResult" in send(first, one)
        assert b"SignatureNonceUsed" in send(second, one)
        assert b"PageResult" in send(second, two)
        assert b"SignatureNonceUsed" in send(first, two)
    with servers.disync(tmp_path, datahub=False, **store) as restarted:
        assert b"SignatureNonceUsed" in send(restarted, one)
        assert b"SignatureNonceUsed" in send(restarted, two)


def test_the_other_servers_workers_take_over(first: servers.Service, tmp_path: Path, store: dict[str, str]) -> None:
    world = World(first, "shared")
    until(lambda: world.state() == "RUN")
    with servers.disync(tmp_path, datahub=False, **store):
        world.publish(0, 4000)
        for worker in world.workers():
            worker.kill()
        world.publish(4000, 9000)
        until(lambda: total(world.arrived()) == 9000)
        check(world, 9000, 2)
        until(lambda: world.state() == "RUN")
