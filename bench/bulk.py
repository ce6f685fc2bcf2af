"""What 1 PB of full load would take, and what it waits for: the least of what a source delivers, a worker moves, a link
carries and a target takes. The inputs are of the measured machine, and of `python -m bench.source`; another rate of the
source is given by `python -m bench.model --source MB/s`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from bench.source import KEPT

PB = 1e15
DAY = 86_400.0
WEEK = 7 * DAY
ROW_BYTES = 250.0
"""A row as it is sent."""

TARGET_ROWS = 680_635.0
"""`make bench ARGS=load` in a fast hour: rows of 12 columns a second, of which the target takes no more."""
WORKER_CORES = 0.25
"""What the worker uses meanwhile: an eighth of two cores."""

LINKS = {"10": 1.25e9, "25": 3.125e9, "100": 12.5e9}
"""Bytes a second of so many Gbit/s, in each of a link's two ways. A worker's link carries each row once in each way: in
from the source, and out to the target. So it carries as many rows as if there were one way only."""
PASSES = 2
"""What lies between all three, such as a switch or a line that both ways cross, carries each row twice."""

PAIRS = (1, 10, 100, 1000)
GIVEN = (25.0, 50.0, 100.0)
"""MB/s of a source that has others to serve."""


def source_rate(given: float | None = None) -> float:
    """Bytes a second of one source: as given in MB/s, or what one core of the measured one delivers."""
    return 1e6 * given if given is not None else float(json.loads(KEPT.read_text())["rows_a_core"]) * ROW_BYTES


def rates(source: float | None = None) -> Mapping[str, float]:
    """Bytes a second of one of each."""
    return {
        "source": source_rate(source),
        "worker": TARGET_ROWS / WORKER_CORES * ROW_BYTES,
        "link": LINKS["10"],
        "target": TARGET_ROWS * ROW_BYTES,
    }


def slowest(source: float | None = None) -> tuple[str, float]:
    return min(rates(source).items(), key=lambda each: each[1])


def limits(source: float | None = None) -> Iterator[str]:
    names = {
        "source": "source, one core of it" if source is None else "source, as given",
        "worker": "worker, one core",
        "link": "link of 10 Gbit/s, each way",
        "target": "target",
    }
    yield "| one | MB/s | 1 PB through one takes |"
    yield "|---|---|---|"
    for name, rate in rates(source).items():
        yield f"| {names[name]} | {rate / 1e6:,.0f} | {PB / rate / DAY:,.1f} days |"


def load(source: float | None = None) -> Iterator[str]:
    name, rate = slowest(source)
    yield (
        f"| pairs, each limited by its {name} | read, GB/s | through the network, GB/s | 1 PB takes "
        "| links of 10, 25, 100 Gbit/s of workers that fills | cores of workers |"
    )
    yield "|---|---|---|---|---|---|"
    for pairs in PAIRS:
        total = pairs * rate
        links = ", ".join(f"{total / link:.1f}" for link in LINKS.values())
        cores = total / rates()["worker"]
        yield (
            f"| {pairs:,} | {total / 1e9:.2f} | {PASSES * total / 1e9:.2f} | {PB / total / DAY:,.1f} days | {links} "
            f"| {cores:,.1f} |"
        )


def sources(source: float | None = None) -> Iterator[str]:
    yield "| one source gives, MB/s | a pair waits for the | 1 PB from 1 source | 10 sources | 100 | 1 PB in a week |"
    yield "|---|---|---|---|---|---|"
    for given in (*GIVEN, source):
        name, rate = slowest(given)
        took = " | ".join(f"{PB / (count * rate) / DAY:,.1f} days" for count in PAIRS[:3])
        yield f"| {source_rate(given) / 1e6:,.0f} | {name} | {took} | {math.ceil(PB / WEEK / rate):,} sources |"
