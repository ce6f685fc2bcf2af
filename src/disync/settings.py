"""Settings: read once from the environment and the command line, then frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from disync.model.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """`home` holds all state; `store_url` None means SQLite in it. `access_key_*`: the root key, None to make one.
    `console_hosts`: names that the console is reached by, beside the loopback's and the one it listens on.
    `worker_room`: the CUs of all tasks that one worker takes at most; None: as many as come.
    `lineage_url`, `lineage_file`: who is told of runs as OpenLineage has it; the jobs are in `lineage_namespace`."""

    home: Path
    store_url: str | None = None
    key_file: Path | None = None
    access_key_id: str | None = None
    access_key_secret: str | None = None
    console_hosts: tuple[str, ...] = ()
    worker_room: float | None = None
    lineage_url: str | None = None
    lineage_key: str | None = field(default=None, repr=False)
    lineage_file: Path | None = None
    lineage_namespace: str = "disync"

    @property
    def traced(self) -> bool:
        return self.lineage_url is not None or self.lineage_file is not None

    @classmethod
    def read(cls, home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
        chosen = home or Path(environ.get("DISYNC_HOME") or "~/.disync")
        key_file = environ.get("DISYNC_KEY_FILE")
        hosts = environ.get("DISYNC_CONSOLE_HOSTS", "").split(",")
        lines = environ.get("DISYNC_OPENLINEAGE_FILE")
        return cls(
            home=chosen.expanduser().absolute(),
            store_url=environ.get("DISYNC_STORE_URL") or None,
            key_file=Path(key_file) if key_file else None,
            access_key_id=environ.get("DISYNC_ACCESS_KEY_ID") or None,
            access_key_secret=environ.get("DISYNC_ACCESS_KEY_SECRET") or None,
            console_hosts=tuple(host.strip() for host in hosts if host.strip()),
            worker_room=_room(environ.get("DISYNC_WORKER_ROOM", "")),
            lineage_url=environ.get("DISYNC_OPENLINEAGE_URL") or None,
            lineage_key=environ.get("DISYNC_OPENLINEAGE_API_KEY") or None,
            lineage_file=Path(lines).expanduser().absolute() if lines else None,
            lineage_namespace=environ.get("DISYNC_OPENLINEAGE_NAMESPACE") or "disync",
        )


def _room(written: str) -> float | None:
    if not written:
        return None
    with suppress(ValueError):
        if 0.5 <= (room := float(written)) < inf:
            return room
    raise BadConfig(f"DISYNC_WORKER_ROOM is {written}: it is a number of CUs, 0.5 or more, such as 4.")
