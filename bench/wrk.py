"""wrk, the one client of every HTTP measurement: 50 connections that send prepared requests, each of them once."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

CONNECTIONS = 50
_FIRST_GUESS = 60_000
_SPARE = 2.5
"""Requests prepared for each that is expected: a server may only now become warm, and running out spoils the round."""


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0
    """The server's CPU time for one request: what a busy machine does not change much."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """A server, how to make one request to it, and the path of a harmless GET that needs no signature."""

    address: str
    pid: int
    make: Callable[[], bytes]
    rest: str


def warm(target: Target) -> float:
    """Load until the server has imported what it imports late; the rate that `measure` prepares requests for."""
    return max(_replay(target, _FIRST_GUESS, 2).rate for _ in range(2))


def measure(target: Target, expected_rate: float, seconds: int) -> Load:
    """Requests are prepared before the clock starts, so that signing costs the client nothing."""
    return _replay(target, int(expected_rate * seconds * _SPARE) + 1000, seconds)


def _replay(target: Target, count: int, seconds: int) -> Load:
    with tempfile.NamedTemporaryFile(prefix="requests-") as file:
        for _ in range(count):
            request = target.make()
            file.write(b"%08d" % len(request) + request)
        file.flush()
        rest = f"GET {target.rest} HTTP/1.1|Host: {target.address}||"
        environment = os.environ | {"REPLAY_FILE": file.name, "REPLAY_REST": rest}
        script = str(Path(__file__).with_name("replay.lua"))
        process = psutil.Process(target.pid)
        before = process.cpu_times()
        options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--timeout", "10s", "-s", script]
        done = subprocess.run(
            ["wrk", *options, f"http://{target.address}/"], env=environment, capture_output=True, text=True, check=True
        )
        after = process.cpu_times()
    load = _result(done.stdout + done.stderr)
    spent = after.user + after.system - before.user - before.system
    return replace(load, cpu_us=1e6 * spent / load.requests)


def _result(output: str) -> Load:
    found = [line.removeprefix("RESULT ") for line in output.splitlines() if line.startswith("RESULT ")]
    if not found:
        raise RuntimeError(f"wrk printed no result:\n{output}")
    result = json.loads(found[0])
    if result.pop("refused") | result.pop("broken") | result.pop("exhausted"):
        raise RuntimeError(f"requests were refused or broken, or there were too few:\n{output}")
    if not result["requests"]:
        raise RuntimeError(f"nothing was answered:\n{output}")
    return Load(**result)
