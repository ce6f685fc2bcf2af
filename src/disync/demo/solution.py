"""The demo's last part: the solution of GetDISyncTask's sample, over the database of the second part, and its proof."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any, Protocol

import click

from disync.demo.changes import Changes
from disync.demo.place import Place, say
from disync.demo.replication import Databases
from disync.demo.seed import PROCESS_CONTENT
from disync.model.errors import Refused

SOLUTION = "DI_SOLUTION"
SOURCE, TARGET = "mm", "holo"
CHANGED = 5_000
"""Rows that change while the solution follows, before both sides are compared."""
PATIENCE = 180.0

_FAILED = ("3", "5", "7")


class Api(Protocol):
    """What is asked of the official SDK."""

    def register(self, name: str, kind: str, content: dict[str, str]) -> None: ...
    def start(self, name: str, content: str, kind: str = ...) -> int: ...
    def answer(self, file_id: int, kind: str = ...) -> dict[str, Any]: ...


def run(place: Place, api: Api, both: Databases) -> int:
    """Make the solution, let it load and follow, and have every row compared. Its FileId."""
    api.register(SOURCE, "mysql", both.source.content)
    api.register(TARGET, "holo", both.target.content)
    began = time.monotonic()
    file_id = api.start("demo_solution", PROCESS_CONTENT, SOLUTION)
    say(f"solution {file_id} is created, deployed and started: all tables of the database, as the sample selects them")
    _await_success(api, file_id)
    say(f"its status is 0: all is loaded and the log is followed, {time.monotonic() - began:.1f} s after its start")
    changes = Changes(both.source, seed=1007, top=300_000)
    changes.pause = 0.0
    changes.start()
    while changes.rows < CHANGED and not changes.failed:
        time.sleep(0.05)
    say(f"{changes.stop():,} rows have changed; now source and target are compared, row by row:")
    verify(place, file_id)
    return file_id


def verify(place: Place, file_id: int) -> None:
    """`disync verify`; Refused where anything differs."""
    command = [sys.executable, "-m", "disync", "verify", str(file_id), "--home", str(place.home / "state")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    click.echo(found.stdout.rstrip())
    if found.returncode:
        raise Refused(f"disync verify {file_id} says that the two databases differ. {found.stderr.strip()[-500:]}")


def _await_success(api: Api, file_id: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while (status := _status(api, file_id)) != "0":
        if status in _FAILED:
            raise Refused(f"The solution has the status {status}: call GetDISyncInstanceInfo to see why.")
        if time.monotonic() > deadline:
            raise Refused(f"The solution has not come to the status 0 in {PATIENCE:.0f} s: it is at {status}.")
        time.sleep(0.2)


def _status(api: Api, file_id: int) -> str:
    return str(api.answer(file_id, SOLUTION)["Data"]["SolutionDetail"]["Status"])
