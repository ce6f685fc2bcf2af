"""Full load of one table, beside the target's own speed and three programs; each round runs all of them in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import contents, orders, peers, replication
from bench.contents import Checksum
from bench.databases import DATABASE, Databases, databases
from bench.orders import TABLE
from bench.peers import Ran
from bench.replication import Loaded
from bench.table import Limit, Row

ROWS = 2_000_000
ROUNDS = 3
MOST_MB = 150.0
SCHEMA = "target"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Peer:
    """`bar`: how many times faster than this the project asks of itself to be."""

    name: str
    bar: float
    run: Callable[[Databases, Path], Ran]
    makes_table: bool = False


def measure_all(rows: int | None = None) -> list[Row]:
    count = rows or ROWS
    with databases() as servers, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        orders.fill(servers, count)
        expected = contents.source_checksum(servers, TABLE, DATABASE)
        file = Path(folder, "orders.copy")
        rounds = []
        for number in range(ROUNDS):
            print(f"    round {number + 1} of {ROUNDS}", flush=True)
            ours = _ours(servers, count, expected)
            if not file.exists():
                _export(servers, file)
            rounds.append((ours, [_beside(servers, peer, file, expected) for peer in PEERS]))
    return [*_own_rows(count, [ours for ours, _ in rounds]), *_peer_rows(count, rounds)]


def _own_rows(count: int, runs: list[Loaded]) -> list[Row]:
    rate = median(count / one.seconds for one in runs)
    steady, most = median(one.rate for one in runs), max(one.rss_mb for one in runs)
    return [
        Row(f"full load, {count:,} rows of 12 columns, from the start of the task", f"{rate:,.0f} rows/s"),
        Row("… from the first row on", f"{steady:,.0f} rows/s"),
        Row("… memory of the worker, most of all rounds", f"{most:.0f} MB RSS", limit=Limit(most, MOST_MB, "MB")),
    ]


def _peer_rows(count: int, rounds: list[tuple[Loaded, list[Ran]]]) -> list[Row]:
    """A ratio is the median of the rounds' own ratios."""
    ours = median(count / loaded.seconds for loaded, _ in rounds)
    rows = []
    for place, peer in enumerate(PEERS):
        rate = median(count / beside[place].seconds for _, beside in rounds)
        faster = median(beside[place].seconds / loaded.seconds for loaded, beside in rounds)
        most = max(beside[place].rss_mb for _, beside in rounds)
        held = f", {most:.0f} MB RSS" if most else ""
        text = f"{rate:,.0f} rows/s ({peer.name}{held})"
        rows.append(Row(f"full load, {count:,} rows of 12 columns", f"{ours:,.0f} rows/s", text, faster, peer.bar))
    return rows


def _ours(servers: Databases, count: int, expected: Checksum) -> Loaded:
    servers.empty_schema(SCHEMA, TABLE.create_target())
    loaded = replication.load(servers, SCHEMA, [TABLE.name], count)
    contents.same(servers, TABLE, SCHEMA, expected)
    return loaded


def _beside(servers: Databases, peer: Peer, file: Path, expected: Checksum) -> Ran:
    servers.empty_schema(SCHEMA, *([] if peer.makes_table else [TABLE.create_target()]))
    ran = peer.run(servers, file)
    contents.same(servers, TABLE, SCHEMA, expected)
    return ran


def _export(servers: Databases, file: Path) -> None:
    """The table as a file of binary COPY, as whoever has no source to read would have it ready."""
    statement = f"COPY {SCHEMA}.{TABLE.name} TO STDOUT (FORMAT binary)"
    with servers.session() as session, session.cursor().copy(statement.encode()) as copy, file.open("wb") as out:
        for block in copy:
            out.write(block)


def _copy(servers: Databases, file: Path) -> Ran:
    """The file into the table, over one connection."""
    statement = f"COPY {SCHEMA}.{TABLE.name} FROM STDIN (FORMAT binary)"
    with servers.session() as session, file.open("rb") as ready:
        began = time.perf_counter()
        with session.cursor().copy(statement.encode()) as copy:
            while block := ready.read(_BLOCK):
                copy.write(block)
        return Ran(time.perf_counter() - began, 0.0)


PEERS = (
    Peer("a ready binary COPY file, one connection", 0.9, _copy),
    Peer("pgloader", 4.0, lambda servers, _: peers.pgloader(servers, TABLE.name, SCHEMA)),
    Peer("sling, direct insert", 5.0, lambda servers, _: peers.sling(servers, TABLE.name, SCHEMA)),
    Peer("dlt, ConnectorX and CSV, no key", 8.0, lambda servers, _: peers.dlt(servers, [TABLE.name], SCHEMA), True),
)
