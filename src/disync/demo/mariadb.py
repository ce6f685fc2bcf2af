"""The demo's own MariaDB: on a free port of this machine alone, with a binary log of rows."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from disync.demo import process
from disync.model.errors import Refused

NAME = "mariadb"
USER = "demo"
START_SECONDS = 30

_OPTIONS = {
    "bind-address": "127.0.0.1",
    "log-bin": "mysql-bin",
    "server-id": "1",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "character-set-server": "utf8mb4",
    "innodb-buffer-pool-size": "128M",
    # What a demo loses in a power cut it makes anew.
    "innodb-flush-log-at-trx-commit": "0",
    "sync-binlog": "0",
    "local-infile": "1",
    "skip-name-resolve": "1",
}


@dataclass(frozen=True, slots=True)
class MariaDB:
    """A running server and the user who may do everything in `database`, and read the log."""

    port: int
    database: str
    password: str = field(repr=False)

    def connect(self, **options: Any) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self.password,
            database=self.database,
            charset="utf8mb4",
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
            **options,
        )

    @property
    def content(self) -> dict[str, str]:
        """The Content of a data source, in the self-hosted form."""
        url = f"jdbc:mysql://127.0.0.1:{self.port}/{self.database}"
        return {"jdbcUrl": url, "username": USER, "password": self.password, "tag": "public"}


def program(name: str) -> str | None:
    """Where a program of MariaDB is; Debian's lie where only root looks."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def start(home: Path, port: int, database: str) -> MariaDB:
    """A new server with an empty database; it goes on until `process.stop_all`."""
    owner = process.owner_for("mysql")
    folder = process.make_folder(home, NAME, owner)
    server = MariaDB(port, database, secrets.token_hex(16))
    common = ["--no-defaults", f"--datadir={folder}/data", *([f"--user={owner}"] if owner else [])]
    install = [str(program("mariadb-install-db")), *common, "--skip-test-db"]
    process.run_once(install, folder, None)
    first = folder / "first.sql"
    first.write_text(_first(server))
    if owner:
        shutil.chown(first, owner)
    first.chmod(0o600)
    # Sockets have short names, and the server looks for its own in its data.
    files = [f"--tmpdir={folder}", "--socket=server.sock", f"--pid-file={folder}/pid", f"--init-file={first}"]
    options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
    command = [str(program("mariadbd")), *common, f"--port={port}", *files, *options]
    running = process.start(home, process.Program(NAME, command, f"--datadir={folder}/data"))
    _await(server, running, process.log_of(home, NAME))
    return server


def _first(server: MariaDB) -> str:
    """What the server does before it takes connections."""
    who = f"'{USER}'@'127.0.0.1'"
    return "\n".join(
        [
            f"CREATE DATABASE `{server.database}`;",
            f"CREATE USER {who} IDENTIFIED BY '{server.password}';",
            f"GRANT ALL ON `{server.database}`.* TO {who};",
            f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {who};",
        ]
    )


def _await(server: MariaDB, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect(connect_timeout=2).close()
            return
        except pymysql.MySQLError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                raise Refused(f"MariaDB did not start; {log} ends: {log.read_text()[-2000:]}") from error
            time.sleep(0.05)
