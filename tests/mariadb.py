"""A MariaDB of our own: a folder of its own, a free port, a binary log of rows."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CR

from servers import START_SECONDS, STOP_SECONDS, free_port

USER, PASSWORD = "sync", "s3cret'\"\\"

DEFAULTS = {
    "log-bin": "mysql-bin",
    "server-id": "1",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    # The server's own zone is neither UTC nor the tests': nothing may depend on it.
    "default-time-zone": "+08:00",
    "character-set-server": "utf8mb4",
    "innodb-buffer-pool-size": "32M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-log-file-size": "32M",
    "sync-binlog": "0",
    "skip-name-resolve": "1",
    "performance-schema": "0",
}


def _program(name: str) -> str:
    """Where a program of MariaDB is. `make test` installs it, so a machine without it is an error."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("MariaDB is not installed: run `make test`, or `scripts/install dev`")
    return found


def _owner() -> str:
    """The server refuses to run as root without being told whom to become."""
    return "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@dataclass(slots=True)
class MariaDB:
    folder: Path
    port: int
    options: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)
    host: str = "127.0.0.1"
    """Where a data source finds it."""

    @property
    def socket(self) -> str:
        return str(self.folder / "mysqld.sock")

    def start(self, **more: str) -> None:
        options = {**DEFAULTS, **self.options, **{name.replace("_", "-"): value for name, value in more.items()}}
        command = [
            *[_program("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data", f"--port={self.port}"],
            *["--bind-address=127.0.0.1", f"--socket={self.socket}", f"--user={_owner()}"],
            *[f"--pid-file={self.folder}/mysqld.pid", f"--tmpdir={self.folder}"],
            *[f"--{name}={value}" for name, value in options.items()],
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.listens():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace"))
            time.sleep(0.02)

    def listens(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as caller:
            return caller.connect_ex(self.socket) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS)
            finally:
                if self.process.poll() is None:
                    self.process.kill()
                    self.process.wait()

    def root(self, **options: Any) -> pymysql.Connection[Any]:
        more = {"charset": "utf8mb4", "autocommit": True, "ssl_disabled": True, **options}
        connection = pymysql.connect(unix_socket=self.socket, user="root", defer_connect=True, **more)
        # PyMySQL leaves the socket open where nobody listens, and some later test gets to hear of it.
        caller = socket.socket(socket.AF_UNIX)
        try:
            caller.connect(self.socket)
            connection.connect(caller)
        except OSError as error:
            caller.close()
            raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, str(error)) from error
        except BaseException:
            caller.close()
            raise
        return connection

    def run(self, statements: str | Sequence[str], database: str | None = None, **session: Any) -> list[Any]:
        """Statements as root, one after another in one session; the rows of the last."""
        with closing(self.root(database=database)) as connection, connection.cursor() as cursor:
            for name, value in session.items():
                cursor.execute(f"SET SESSION {name} = %s", (value,))
            for statement in [statements] if isinstance(statements, str) else statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def content(self, database: str, port: int | None = None, **members: str) -> dict[str, str]:
        """The content of a data source that leads here."""
        url = f"jdbc:mysql://{self.host}:{port or self.port}/{database}"
        return {"jdbcUrl": url, "username": USER, "password": PASSWORD, "tag": "public", **members}


@cache
def _installed() -> Path:
    """A server's data as it is before its first start: made once, and copied for each server of this process."""
    folder = Path(tempfile.mkdtemp(prefix="disync-maria-installed-"))
    atexit.register(shutil.rmtree, folder)
    if os.geteuid() == 0:
        shutil.chown(folder, _owner())
    install = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={folder}/data", f"--user={_owner()}"]
    more = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=32M"]
    for last in (False, True):  # on a machine that is very busy its own server does not always come up in time
        done = subprocess.run([*install, *more], check=False, capture_output=True, text=True, timeout=150)
        if done.returncode == 0:
            break
        if last:
            raise RuntimeError(f"mariadb-install-db failed twice: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        shutil.rmtree(folder / "data", ignore_errors=True)
    return folder


@contextmanager
def mariadb(**options: str) -> Iterator[MariaDB]:
    """A server with a user who may do what a task needs. Options are the server's, `-` written as `_`."""
    folder = Path(tempfile.mkdtemp(prefix="disync-maria-"))
    server = MariaDB(folder, free_port(), {name.replace("_", "-"): value for name, value in options.items()})
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _owner())
        subprocess.run(["cp", "-a", _installed() / "data", folder / "data"], check=True, timeout=60)
        server.start()
        password = pymysql.converters.escape_string(PASSWORD)
        server.run(
            [
                f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}'",
                f"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{USER}'@'127.0.0.1'",
            ]
        )
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
