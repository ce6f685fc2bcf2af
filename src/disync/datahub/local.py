"""The server as a child process: for tests, and for whoever wants a DataHub beside his program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import structlog

_CHILD = "from disync.datahub.local import child; child()"
_LINE = "datahub listening on "
_STOP_SECONDS = 10


class LocalDataHub:
    """A DataHub server on 127.0.0.1 with its data under `home`, from `with` to the end of the block.

        with LocalDataHub(folder, keys={"id": "secret"}) as datahub:
            client = DataHub("id", "secret", datahub.endpoint)

    `kill` and `restart` are for tests of what survives. The child ends with its parent, however that one ends.
    """

    def __init__(self, home: Path, keys: Mapping[str, str], port: int = 0) -> None:
        self.home = Path(home)
        self._keys = dict(keys)
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> LocalDataHub:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._running.pid

    def start(self) -> None:
        """Start the server; it takes requests when this returns."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        settings = {"home": str(self.home), "port": self._port, "keys": self._keys}
        _write(self._process.stdin, json.dumps(settings) + "\n")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(_LINE):
            self.kill()
            raise RuntimeError(f"the DataHub server did not start in {self.home}; it said why on stderr")
        self._port = int(line.rpartition(":")[2])

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._wait()

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._wait()

    def restart(self) -> None:
        """Start again on the same port and home; stops first if it still runs."""
        self.stop()
        self.start()

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the DataHub server is not running")
        return self._process

    def _wait(self) -> None:
        process, self._process = self._running, None
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def child() -> None:
    """What the child process runs: settings come as one line of JSON on stdin, whose end tells that the parent died."""
    from disync.datahub.server import serve

    # stdout is for the one line that the parent reads; more would fill the pipe and stop the server.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keys: dict[str, str] = settings["keys"]
    serve("127.0.0.1", settings["port"], Path(settings["home"]), keys.get)


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    os._exit(1)


def _write(pipe: IO[str] | None, text: str) -> None:
    assert pipe is not None
    pipe.write(text)
    pipe.flush()
