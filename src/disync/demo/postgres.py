"""The demo's own PostgreSQL, in the place of Hologres: on a free port of this machine alone."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from disync.demo import process
from disync.model.errors import Refused

NAME = "postgres"
USER = "demo"
START_SECONDS = 30

# What a demo loses in a power cut it makes anew.
_OPTIONS = ("fsync=off", "synchronous_commit=off", "max_wal_size=2GB", "unix_socket_directories=")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server, and its owner."""

    port: int
    database: str
    password: str = field(repr=False)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self.password,
            dbname=self.database,
            autocommit=True,
            **options,
        )

    @property
    def content(self) -> dict[str, str]:
        """The Content of a data source of type holo, in the self-hosted form."""
        url = f"jdbc:postgresql://127.0.0.1:{self.port}/{self.database}"
        return {"jdbcUrl": url, "username": USER, "password": self.password, "tag": "public"}


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is, of the newest one installed; Debian's are not on the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(installed[-1]) if installed else shutil.which(name)


def start(home: Path, port: int) -> Postgres:
    """A new server; it goes on until `process.stop_all`."""
    owner = process.owner_for("postgres")
    folder = process.make_folder(home, NAME, owner)
    server = Postgres(port, "postgres", secrets.token_hex(16))
    secret = folder / "password"
    secret.write_text(server.password)
    if owner:
        shutil.chown(secret, owner)
    secret.chmod(0o600)
    data = f"{folder}/data"
    access = ["-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}"]
    process.run_once([str(program("initdb")), "-D", data, *access, "-E", "UTF8", "--locale=C", "-N"], folder, owner)
    secret.unlink()
    options = [word for option in _OPTIONS for word in ("-c", option)]
    command = [str(program("postgres")), "-D", data, "-p", str(port), "-h", "127.0.0.1", *options]
    running = process.start(home, process.Program(NAME, command, data, signal.SIGINT, owner))
    _await(server, running, process.log_of(home, NAME))
    return server


def _await(server: Postgres, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect(connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                raise Refused(f"PostgreSQL did not start; {log} ends: {log.read_text()[-2000:]}") from error
            time.sleep(0.05)
