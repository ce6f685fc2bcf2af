"""GetDISyncTask on one API process, beside moto's server: the same client, the same 50 connections, the same run.

Ours checks a signature, refuses a nonce seen before and reads the store for every request; moto checks no signature.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import scene, signed
from bench.scene import Scene
from bench.table import Row
from bench.wrk import Load, Target, measure, warm
from servers import child_environment, disync, free_port, stop

ROUNDS = 5
SECONDS = 3
BAR = 10.0
_MOTO = Path(__file__).parents[1] / ".cache/clients/moto/bin/moto_server"
_MOTO_START_SECONDS = 60
_SCHEMES = {"ACS3-HMAC-SHA256": signed.acs3_request, "HMAC-SHA1": signed.rpc_request}


@dataclass(frozen=True, slots=True)
class Round:
    """One after the other, so close that what else the machine does weighs on both."""

    ours: Load
    theirs: Load


def measure_all() -> list[Row]:
    # Both servers stand idle while the other one works.
    with tempfile.TemporaryDirectory(prefix="bench-") as home, disync(Path(home), "--workers", "1") as service:
        targets = get_task_targets(scene.build(service))
        with moto() as target:
            rounds = _rounds(targets, target)
    return [row for scheme, measured in rounds.items() for row in _rows(scheme, measured)]


def _rows(scheme: str, rounds: list[Round]) -> list[Row]:
    """Medians; a ratio is the median of the rounds' own ratios, all three from the same rounds."""
    ours = _Middle.of([one.ours for one in rounds])
    theirs = _Middle.of([one.theirs for one in rounds])
    faster = median(one.ours.rate / one.theirs.rate for one in rounds)
    sooner = median(one.theirs.p99_ms / one.ours.p99_ms for one in rounds)
    cheaper = median(one.theirs.cpu_us / one.ours.cpu_us for one in rounds)
    rates = f"{ours.rate:,.0f} requests/s", f"{theirs.rate:,.0f} requests/s (moto, ListTables)"
    return [
        Row(f"GetDISyncTask, {scheme}, one API process", *rates, faster, BAR),
        Row("… p99 at 50 connections", f"{ours.p99_ms:.1f} ms", f"{theirs.p99_ms:.0f} ms", sooner),
        Row("… CPU time of the server for a request", f"{ours.cpu_us:.0f} µs", f"{theirs.cpu_us:,.0f} µs", cheaper),
    ]


@dataclass(frozen=True, slots=True)
class _Middle:
    rate: float
    p99_ms: float
    cpu_us: float

    @staticmethod
    def of(loads: list[Load]) -> _Middle:
        return _Middle(
            median(load.rate for load in loads),
            median(load.p99_ms for load in loads),
            median(load.cpu_us for load in loads),
        )


def get_task_targets(built: Scene) -> dict[str, Target]:
    """GetDISyncTask of the seed's task, by signature scheme."""
    service = built.service
    for topic in ("source_topic", "target_topic"):
        built.topic(topic)
    task = {name: str(value) for name, value in built.task("read", "source_topic", "target_topic").items()}

    def maker(sign: Callable[..., bytes]) -> Callable[[], bytes]:
        return lambda: sign(service.address, service.key, "GetDISyncTask", task)

    return {
        scheme: Target(service.address, service.process.pid, maker(sign), "/healthz")
        for scheme, sign in _SCHEMES.items()
    }


def _rounds(ours: dict[str, Target], theirs: Target) -> dict[str, list[Round]]:
    expected = {name: warm(target) for name, target in ours.items()}
    moto_expected = warm(theirs)
    rounds: dict[str, list[Round]] = {name: [] for name in ours}
    for _ in range(ROUNDS):
        for name, target in ours.items():
            here = measure(target, expected[name], SECONDS)
            rounds[name].append(Round(here, measure(theirs, moto_expected, SECONDS)))
    return rounds


@contextmanager
def moto() -> Iterator[Target]:
    """moto's server, asked for what it answered fastest of the read calls tried: DynamoDB's ListTables."""
    port = free_port()
    if not _MOTO.exists():
        raise RuntimeError("moto is not installed: run `make bench`, or `scripts/install bench`")
    process = subprocess.Popen(
        [str(_MOTO), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(),
    )
    try:
        request = _list_tables(f"127.0.0.1:{port}")
        _first_answer(port, request)
        yield Target(f"127.0.0.1:{port}", process.pid, lambda: request, "/moto-api/")
    finally:
        stop(process)


def _list_tables(address: str) -> bytes:
    scope = "AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request"
    lines = [
        "POST / HTTP/1.1",
        f"Host: {address}",
        "X-Amz-Target: DynamoDB_20120810.ListTables",
        "Content-Type: application/x-amz-json-1.0",
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00",
        "Content-Length: 2",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n{}").encode()


def _first_answer(port: int, request: bytes) -> None:
    """moto imports a service at the first call of it, which takes seconds: wait for that answer."""
    deadline = time.monotonic() + _MOTO_START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), _MOTO_START_SECONDS) as connection:
                connection.sendall(request)
                answer = connection.recv(4096)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            if b" 200 " not in answer.partition(b"\r\n")[0]:
                raise RuntimeError(f"moto answered {answer!r}")
            return
