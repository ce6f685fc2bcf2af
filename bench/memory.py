"""Memory of the API process and of a worker, at rest and at work: the proportional share (PSS), and resident (RSS)."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import api, scene
from bench.table import Row
from bench.wrk import measure, warm
from servers import Service, disync

REST_SECONDS = 3
LOAD_SECONDS = 5
RECORDS = 100_000
_EVERY_SECONDS = 0.1
_MB = 1e6
_LOOK_SECONDS = 1.0
_AT_REST = 0.05
"""Seconds of CPU time in each of those."""
_REST_DEADLINE_SECONDS = 60


@dataclass(slots=True)
class Usage:
    """The most that was seen, in bytes."""

    pss: int = 0
    rss: int = 0

    def see(self, process: psutil.Process) -> None:
        memory = process.memory_full_info()
        self.pss, self.rss = max(self.pss, memory.pss), max(self.rss, memory.rss)

    def __str__(self) -> str:
        return f"{self.pss / _MB:.0f} MB PSS, {self.rss / _MB:.0f} MB RSS"


def measure_all() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as home, disync(Path(home), "--workers", "1") as service:
        built = scene.build(service)
        target = api.get_task_targets(built)["ACS3-HMAC-SHA256"]
        parts = _parts(service)
        time.sleep(REST_SECONDS)
        rest = {name: Usage() for name in parts}
        for name, process in parts.items():
            rest[name].see(process)
        with _watch(parts) as reading:
            measure(target, warm(target), LOAD_SECONDS)
        scene.fill(built, "source_topic", scene.rows(RECORDS))
        with _watch(parts) as moving:
            task = built.task("move", "source_topic", "target_topic")
            built.run(task, "target_topic", RECORDS)
            built.stop(task)
    return [
        Row("memory at rest: API process", str(rest["api"])),
        Row("memory at rest: worker", str(rest["worker"])),
        Row("memory under load: API process, 50 connections", str(reading["api"])),
        Row(f"memory under load: worker, {RECORDS:,} records", str(moving["worker"])),
    ]


def worker(service: Service) -> psutil.Process:
    """The service's only worker."""
    found = workers(service)
    if len(found) != 1:
        raise RuntimeError(f"one worker was expected, and there are {len(found)}")
    return found[0]


def workers(service: Service) -> list[psutil.Process]:
    return [child for child in psutil.Process(service.process.pid).children() if "disync.worker" in child.cmdline()]


def wait_for_rest(process: psutil.Process) -> None:
    """Until a process has done next to nothing for a while: then it is no longer busy with its own start."""
    deadline = time.monotonic() + _REST_DEADLINE_SECONDS
    spent, before = process.cpu_times().user, -1.0
    while spent - before > _AT_REST:
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {process.pid} did not come to rest in {_REST_DEADLINE_SECONDS} s")
        time.sleep(_LOOK_SECONDS)
        spent, before = process.cpu_times().user, spent


def peak_mb(pid: int) -> float:
    """The most that a process has had resident since its start; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / _MB for line in lines if line.startswith("VmHWM:")), 0.0)


def _parts(service: Service) -> dict[str, psutil.Process]:
    return {"api": psutil.Process(service.process.pid), "worker": worker(service)}


@contextmanager
def _watch(parts: dict[str, psutil.Process]) -> Iterator[dict[str, Usage]]:
    """The most that each process uses while the block runs."""
    seen = {name: Usage() for name in parts}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_SECONDS):
            for name, process in parts.items():
                seen[name].see(process)

    watcher = threading.Thread(target=watch, name="memory")
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
