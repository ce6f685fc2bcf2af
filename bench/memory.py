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
from tests.servers import Service, disync

from bench import api, scene
from bench.load import measure, warm
from bench.table import Row

REST_SECONDS = 3
LOAD_SECONDS = 5
RECORDS = 100_000
_EVERY_SECONDS = 0.1
_MB = 1e6


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


def _parts(service: Service) -> dict[str, psutil.Process]:
    server = psutil.Process(service.process.pid)
    workers = [child for child in server.children() if "worker" in child.cmdline()]
    if len(workers) != 1:
        raise RuntimeError(f"one worker was expected among {[child.cmdline() for child in server.children()]}")
    return {"api": server, "worker": workers[0]}


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
