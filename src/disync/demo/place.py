"""The demo's server: started anew each time, and left running."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from disync.demo import process
from disync.demo.seed import PROJECTS
from disync.model.errors import Refused

MARK = "made-by-disync-demo"
SERVER = "server"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo's server is."""

    home: Path
    endpoint: str
    datahub: str
    key_id: str
    secret: str

    def content(self, source: str) -> dict[str, str]:
        """The data source's Content, in the self-hosted form."""
        return {
            "endpoint": self.datahub,
            "project": PROJECTS[source],
            "accessId": self.key_id,
            "accessKey": self.secret,
            "tag": "public",
        }


def say(text: str) -> None:
    click.secho("==> ", fg="green", nl=False)
    click.echo(text)


def stop_earlier(home: Path) -> None:
    """End the servers that an earlier demo left running, and begin with an empty home."""
    if home.is_dir() and any(home.iterdir()) and not (home / MARK).exists():
        raise Refused(f"{home} holds other things than an earlier demo: the demo empties its home. Name another one.")
    if home.is_dir() and (pids := process.stop_all(home)):
        say(f"stopped the servers of the earlier demo (processes {', '.join(map(str, pids))})")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / MARK).touch()


def serve(home: Path, port: int, datahub_port: int) -> Place:
    port, datahub_port = free_port(port), free_port(datahub_port)
    key_id = os.environ.get("DISYNC_ACCESS_KEY_ID") or "demo"
    secret = os.environ.get("DISYNC_ACCESS_KEY_SECRET") or secrets.token_hex(16)
    environment = os.environ | {"DISYNC_ACCESS_KEY_ID": key_id, "DISYNC_ACCESS_KEY_SECRET": secret}
    environment.pop("DISYNC_STORE_URL", None)
    log, state = process.log_of(home, SERVER), str(home / "state")
    command = [sys.executable, "-m", "disync", "serve", "--home", state, "--port", str(port)]
    program = process.Program(SERVER, [*command, "--datahub-port", str(datahub_port)], state)
    server = process.start(home, program, environment)
    for _ in range(300):
        text = log.read_text(errors="replace")
        if "\nlistening on" in f"\n{text}" and "datahub listening on" in text:
            return Place(home, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{datahub_port}", key_id, secret)
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise Refused(f"The server did not start; its log is {log}:\n{log.read_text(errors='replace')[-2000:]}")


def free_port(port: int = 0) -> int:
    """This port of 127.0.0.1, or any free one if it is taken."""
    for wanted in (port, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise Refused("There is no free port on 127.0.0.1.")
