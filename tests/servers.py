"""The real servers that tests and benches talk to: DISync and Debian's PostgreSQL, each in a folder of its own."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

START_SECONDS = 60
STOP_SECONDS = 12

ROOT_KEY = ("testAccessKeyId", "testAccessKeySecret")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment for a child: no proxy between it and the loopback, bytecode allowed."""
    dropped = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "pythondontwritebytecode"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in dropped}
    return {name: value for name, value in kept.items() if not name.startswith("DISYNC_")} | more


class Lines:
    """The lines that a process prints, as they come; waiting for one never blocks for good."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = process
        threading.Thread(target=self._follow, name="lines", daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def next(self, seconds: float) -> str:
        """The next line, waited for `seconds` at most."""
        try:
            line = self._lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise TimeoutError(f"process {self._process.pid} printed nothing for {seconds:.1f} s") from None
        if line is None:
            raise RuntimeError(f"process {self._process.pid} ended with {self._process.wait()}")
        return line

    def after(self, prefixes: list[str], seconds: float) -> dict[str, str]:
        """What follows each of the prefixes, once there is a line for every one."""
        found: dict[str, str] = {}
        deadline = time.monotonic() + seconds
        while len(found) < len(prefixes):
            line = self.next(deadline - time.monotonic())
            found |= {prefix: line.removeprefix(prefix).strip() for prefix in prefixes if line.startswith(prefix)}
        return found


@dataclass(frozen=True, slots=True)
class Service:
    """A running `disync serve`. `address` is HOST:PORT, `datahub` a URL."""

    address: str
    datahub: str
    key: tuple[str, str]
    home: Path
    process: subprocess.Popen[str]

    @property
    def log(self) -> str:
        return (self.home / "stderr.log").read_text(errors="replace")


@contextmanager
def disync(home: Path, *options: str, datahub: bool = True, **environment: str) -> Iterator[Service]:
    """`disync serve` with a local DataHub on free ports; stopped by SIGTERM, which it must obey in time."""
    key_id, secret = ROOT_KEY
    command = [sys.executable, "-m", "disync", "serve", "--port", "0", "--home", str(home)]
    command += ["--datahub-port", "0"] if datahub else []
    keys = {"DISYNC_ACCESS_KEY_ID": key_id, "DISYNC_ACCESS_KEY_SECRET": secret}
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stderr.log").open("a") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=child_environment(**keys, **environment),
        )
    try:
        try:
            awaited = ["listening on http://", *(["datahub listening on "] if datahub else [])]
            said = Lines(process).after(awaited, START_SECONDS)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}\n{(home / 'stderr.log').read_text(errors='replace')}") from error
        address, hub = said["listening on http://"], said.get("datahub listening on ", "")
        yield Service(address, hub, ROOT_KEY, home, process)
    finally:
        stop(process)


@contextmanager
def datahub(home: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """`disync datahub` on a free port, for the same access key: its URL. No part of any `disync serve`."""
    command = [sys.executable, "-m", "disync", "datahub", "--host", host, "--port", "0", "--home", str(home)]
    keys = {"DISYNC_ACCESS_KEY_ID": ROOT_KEY[0], "DISYNC_ACCESS_KEY_SECRET": ROOT_KEY[1]}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment(**keys))
    try:
        yield Lines(process).after(["datahub listening on "], START_SECONDS)["datahub listening on "]
    finally:
        stop(process)


@dataclass(frozen=True, slots=True)
class Station:
    """A running `disync worker`. `name`: under which it holds runs. `health`: HOST:PORT."""

    name: str
    health: str
    process: subprocess.Popen[str]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@contextmanager
def station(folder: Path, *options: str, **environment: str) -> Iterator[Station]:
    """`disync worker` as on a machine of its own, with an empty home: where its store and key file are, the environment
    tells. Stopped by SIGTERM, unless it has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "disync", "worker", "--home", str(folder), "--health-port", "0", *options]
    with (folder / "stderr.log").open("a") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=child_environment(**environment)
        )
    try:
        try:
            said = Lines(process).after(["health on http://", "working for "], START_SECONDS)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}\n{(folder / 'stderr.log').read_text(errors='replace')}") from error
        name = said["working for "].rpartition(" as ")[2]
        yield Station(name, said["health on http://"], process, folder / "stderr.log")
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM; a process that takes longer than it may is killed, and that is an error."""
    process.terminate()
    late = False
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        late = True
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    if late:  # not in the handler, so that what went wrong before is told along
        raise RuntimeError(f"process {process.pid} did not stop within {STOP_SECONDS} s of SIGTERM")


def postgres_folder() -> Path:
    """Where PostgreSQL's programs are. `make test` installs them, so a machine without them is an error."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not installed and on_path is None:
        raise RuntimeError("PostgreSQL is not installed: run `make test`, or `scripts/install dev`")
    return installed[-1].parent if installed else Path(str(on_path)).parent


# Durability is PostgreSQL's own affair; without fsync the tests are several times faster.
POSTGRES_DEFAULTS = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200"}


@dataclass(slots=True)
class PostgreSQL:
    """A PostgreSQL of our own in a folder of its own. It refuses to run as root, so root lends it another user."""

    folder: str
    port: int
    settings: Mapping[str, str]
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Its maintenance database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def _owner(self) -> Mapping[str, str | list[str]]:
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def make(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [str(postgres_folder() / "initdb"), "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust"]
        more = ["-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(  # type: ignore[call-overload]
            [*initdb, *more], check=True, capture_output=True, cwd=self.folder, timeout=60, **self._owner
        )

    def start(self) -> None:
        place = ["-D", f"{self.folder}/data", "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder]
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        server = [str(postgres_folder() / "postgres"), *place, *settings]
        with open(f"{self.folder}/log", "a") as log:
            self.process = subprocess.Popen(server, stdout=log, stderr=log, cwd=self.folder, text=True, **self._owner)  # type: ignore[call-overload]
        _wait_for(self.url, self.process)

    def kill(self) -> None:
        """kill -9 of all its processes at once, as the machine's end would."""
        assert self.process is not None
        sessions = psutil.Process(self.process.pid).children(recursive=True)
        for process in (self.process, *sessions):
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.kill()
        self.process.wait(STOP_SECONDS)
        psutil.wait_procs(sessions, STOP_SECONDS)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(2)  # SIGINT: end the sessions, then stop
            self.process.wait(STOP_SECONDS)


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgreSQL]:
    server = PostgreSQL(tempfile.mkdtemp(prefix="disync-pg-"), free_port(), POSTGRES_DEFAULTS | settings)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """A PostgreSQL of our own on a free port: the URL of its maintenance database."""
    with postgres_server(**settings) as server:
        yield server.url


def _wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """A database that is empty, and gone afterwards."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield server_url.rpartition("/")[0] + "/" + name
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def terminated(url: str) -> Iterator[None]:
    """While this lasts, the database lets nobody in and has thrown everybody out."""
    server_url, _, name = url.rpartition("/")
    with psycopg.connect(f"{server_url}/postgres", autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true'.encode())
