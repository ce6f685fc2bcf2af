"""A server for the mysql connector to read, of our own: a folder of its own, a free port, a binary log of rows.

It is a MariaDB; with DISYNC_TEST_SERVER=mysql it is a MySQL, for the same tests.
"""

from __future__ import annotations

import atexit
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors
from pymysql.constants import CR

from servers import START_SECONDS, STOP_SECONDS, free_port

USER, PASSWORD = "sync", "s3cret'\"\\"

KIND = os.environ.get("DISYNC_TEST_SERVER", "mariadb")
"""Which of the two: mariadb or mysql."""

MYSQL = KIND == "mysql"

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
    "sync-binlog": "0",
    "skip-name-resolve": "1",
    "performance-schema": "0",
}


def _owner() -> str:
    """Nobody is root by default: MariaDB refuses to be, and becomes another one."""
    return "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@dataclass(slots=True)
class Server(ABC):
    folder: Path
    port: int
    options: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)
    host: str = "127.0.0.1"
    """Where a data source finds it."""

    @property
    def socket(self) -> str:
        return str(self.folder / "mysqld.sock")

    @abstractmethod
    def command(self) -> list[str]:
        """The program and what it always needs, without what is chosen."""

    @abstractmethod
    def install(self, folder: Path) -> None:
        """Make a server's data, as it is before its first start, in a folder that is not there yet."""

    def chosen(self, options: Mapping[str, str]) -> Mapping[str, str]:
        """Options in the words of this kind of server."""
        return options

    def said(self, statement: str) -> str:
        """A statement in the words of this kind of server."""
        return statement

    def make(self) -> None:
        """A copy of what is made once in this process."""
        if type(self) not in _MADE:
            _MADE[type(self)] = Path(tempfile.mkdtemp(prefix="disync-mysql-made-"))
            atexit.register(shutil.rmtree, _MADE[type(self)])
            shutil.chown(_MADE[type(self)], _owner())
            self.install(_MADE[type(self)] / "data")
        shutil.chown(self.folder, _owner())
        subprocess.run(["cp", "-a", _MADE[type(self)] / "data", self.folder / "data"], check=True, timeout=60)

    def start(self, **more: str) -> None:
        options = {**DEFAULTS, **self.options, **{name.replace("_", "-"): value for name, value in more.items()}}
        command = [
            *[*self.command(), f"--datadir={self.folder}/data", f"--port={self.port}"],
            *["--bind-address=127.0.0.1", f"--socket={self.socket}", f"--user={_owner()}"],
            *[f"--pid-file={self.folder}/mysqld.pid", f"--tmpdir={self.folder}"],
            *[f"--{name}={value}" for name, value in self.chosen(options).items()],
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
        more = {
            "charset": "utf8mb4",
            "autocommit": True,
            "ssl_disabled": True,
            "cursorclass": self._cursor(),
            **options,
        }
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
        if more["autocommit"]:  # which the client believes to be the case, whatever the server is set to
            connection.query("SET autocommit = 1")
        return connection

    def _cursor(self) -> type[pymysql.cursors.Cursor]:
        said = self.said

        class Translating(pymysql.cursors.Cursor):
            def execute(self, query: str, args: Any = None) -> int:
                return super().execute(said(query), args)

        return Translating

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


_MADE: dict[type[Server], Path] = {}


class MariaDB(Server):
    def command(self) -> list[str]:
        return [_program("mariadbd"), "--no-defaults"]

    def install(self, folder: Path) -> None:
        more = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=32M"]
        _twice([_program("mariadb-install-db"), "--no-defaults", f"--datadir={folder}", f"--user={_owner()}", *more])

    def chosen(self, options: Mapping[str, str]) -> Mapping[str, str]:
        return {"innodb-log-file-size": "32M", **options}


def _program(name: str) -> str:
    """Where a program of MariaDB is. `make test` installs it, so a machine without it is an error."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("MariaDB is not installed: run `make test`, or `scripts/install dev`")
    return found


class MySQL(Server):
    """Of a newer Debian than this machine's may be: it runs with that one's libraries, from a folder that
    `scripts/install mysql` makes."""

    def command(self) -> list[str]:
        root = Path(__file__).parent.parent / ".cache" / "mysql"
        loader, libraries = sorted(root.glob("lib*/ld-linux-*.so.*")), sorted(root.glob("usr/lib/*-linux-gnu"))
        if not loader or not (root / "usr/sbin/mysqld").exists():
            raise RuntimeError("MySQL is not installed: run `scripts/install mysql`")
        path = ":".join([*map(str, libraries), *(str(folder / "private") for folder in libraries)])
        share = root / "usr/share/mysql"
        files = [f"--basedir={root}/usr", f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets"]
        plugins = f"--plugin-dir={root}/usr/lib/mysql/plugin"
        return [str(loader[0]), "--library-path", path, f"{root}/usr/sbin/mysqld", "--no-defaults", *files, plugins]

    def install(self, folder: Path, *more: str) -> None:
        _twice([*self.command(), "--initialize-insecure", f"--datadir={folder}", f"--user={_owner()}", *more])
        (folder / "auto.cnf").unlink()  # its server_uuid: each copy gets one of its own

    def make(self) -> None:
        """How names are kept is decided here, once and for all."""
        name = "lower-case-table-names"
        if name in self.options:
            shutil.chown(self.folder, _owner())
            self.install(self.folder / "data", f"--{name}={self.options[name]}")
        else:
            Server.make(self)

    def chosen(self, options: Mapping[str, str]) -> Mapping[str, str]:
        more = {"mysqlx": "OFF", "gtid-mode": "ON", "enforce-gtid-consistency": "ON", "secure-file-priv": "NULL"}
        more["tls-version"] = ""  # some tests change what goes over the wire
        more |= {"sql-mode": _SQL_MODE, "cte-max-recursion-depth": "4294967295", "innodb-redo-log-capacity": "64M"}
        return more | {_OTHER_OPTIONS.get(name, name): value for name, value in options.items()}

    def said(self, statement: str) -> str:
        for words, others in _OTHER_WORDS:
            statement = words.sub(others, statement)
        return statement


_SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""As MariaDB's: zero dates are values like others."""

_OTHER_OPTIONS = {
    "log-slave-updates": "log-replica-updates",
    "innodb-log-file-size": "innodb-redo-log-capacity",
}


def _numbers(found: re.Match[str]) -> str:
    name, low, high, step = found.groups()
    following = f"SELECT seq + {step or 1} FROM s WHERE seq + {step or 1} <= {high}"
    return f"(WITH RECURSIVE s (seq) AS (SELECT {low} UNION ALL {following}) SELECT seq FROM s) AS {name}"


_OTHER_WORDS: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(r"\b(?:\w+\.)?(seq_(\d+)_to_(\d+)(?:_step_(\d+))?)\b(?!\.)"), _numbers),
    (re.compile(r"\bMD5\((\w+)\)"), r"LEFT(SHA2(\1, 256), 32)"),
    (re.compile("^RESET MASTER$"), "RESET BINARY LOGS AND GTIDS"),
    (re.compile("^SHOW MASTER STATUS$"), "SHOW BINARY LOG STATUS"),
    (re.compile("(binlog_row_metadata = ')?NO_LOG"), r"\1MINIMAL"),
]
"""What MariaDB alone has, in MySQL's words."""


def _twice(command: list[str]) -> None:
    """On a machine that is very busy a server that is installed does not always come up in time."""
    folder = next(Path(word.removeprefix("--datadir=")) for word in command if word.startswith("--datadir="))
    for last in (False, True):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=150)
        if done.returncode == 0:
            return
        if last:
            raise RuntimeError(f"{command[0]} failed twice: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(**options: str) -> Iterator[Server]:
    """A server with a user who may do what a task needs. Options are the server's, `-` written as `_`."""
    folder = Path(tempfile.mkdtemp(prefix="disync-mysql-"))
    kind = {"mariadb": MariaDB, "mysql": MySQL}[KIND]
    made = kind(folder, free_port(), {name.replace("_", "-"): value for name, value in options.items()})
    try:
        made.make()
        made.start()
        password = pymysql.converters.escape_string(PASSWORD)
        made.run(
            [
                f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}'",
                f"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{USER}'@'127.0.0.1'",
            ]
        )
        yield made
    finally:
        made.stop(signal.SIGKILL)  # nobody needs its data any more, and an orderly end takes seconds
        shutil.rmtree(folder)
