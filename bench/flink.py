"""Flink's dashboard, served by Flink itself: a job manager and a task manager on the loopback.

No job runs: what is taken from PyPI can submit none without all of PyFlink. So the dashboard has less to show than it
could have.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from servers import child_environment, free_port

HOME = Path(__file__).parents[1] / ".cache/clients/flink"
SECONDS = 400
"""For its start, on a machine that is very busy."""
_OPENED = (
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
)
_MEMORY = {
    **{"framework.heap.size": 128, "framework.off-heap.size": 128, "task.heap.size": 128, "task.off-heap.size": 0},
    **{"managed.size": 64, "network.min": 64, "network.max": 64, "jvm-metaspace.size": 256},
    **{"jvm-overhead.min": 192, "jvm-overhead.max": 192},
}
"""MB: what Flink's own script would work out, all of it."""


@contextmanager
def flink() -> Iterator[str]:
    """The dashboard's URL, once the task manager has registered."""
    with tempfile.TemporaryDirectory(prefix="bench-flink-") as folder:
        conf, rest, rpc = Path(folder) / "conf", free_port(), free_port()
        conf.mkdir()
        settings = {
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": rpc,
            "jobmanager.memory.process.size": "1g",
            "taskmanager.cpu.cores": "1.0",
            **{f"taskmanager.memory.{name}": f"{size}m" for name, size in _MEMORY.items()},
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "jobmanager.bind-host": "127.0.0.1",
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": rest,
            "io.tmp.dirs": folder,
        }
        text = "".join(f"{name}: {value}\n" for name, value in settings.items())
        (conf / "config.yaml").write_text(text, "ascii")
        packages = "org.apache.flink.runtime"
        with (
            _java(conf, f"{packages}.entrypoint.StandaloneSessionClusterEntrypoint"),
            _java(conf, f"{packages}.taskexecutor.TaskManagerRunner"),
        ):
            url = f"http://127.0.0.1:{rest}"
            _await(lambda: bool(_get(url, "/overview")["slots-total"]))
            yield url


def _command(main: str) -> list[str]:
    package = next(HOME.glob("lib/python*/site-packages/pyflink"), None)
    if package is None:
        raise RuntimeError("Flink is not installed: run `make bench`, or `scripts/install bench`")
    jars = sorted(package.glob("lib/*.jar"))
    opened = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED]
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", *opened, "-cp", ":".join(map(str, jars)), main]


@contextmanager
def _java(conf: Path, main: str) -> Iterator[None]:
    command = [*_command(main), "--configDir", str(conf)]
    with (conf / f"{main.rpartition('.')[2]}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=child_environment(FLINK_CONF_DIR=str(conf)))
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _get(url: str, path: str) -> Any:
    with urllib.request.urlopen(url + path, timeout=5) as answer:
        return json.load(answer)


def _await(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with suppress(OSError, KeyError):
            if true():
                return
        if time.monotonic() > deadline:
            raise TimeoutError("Flink does not come up")
        time.sleep(0.2)
