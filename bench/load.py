"""Full load of one table, beside the target's own speed and three programs; each round runs all of them in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import contents, copyfile, orders, peers, replication
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


@dataclass(frozen=True, slots=True)
class Peer:
    """`bar`: how many times faster than this the project asks of itself to be."""

    name: str
    bar: float | None
    run: Callable[[Databases, Path], Ran]
    table: str | None = TABLE.create_target()
    """What is there before it begins; None: it makes its own, as we do."""


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
                copyfile.export(servers, SCHEMA, TABLE, file)
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
    servers.empty_schema(SCHEMA)
    loaded = replication.load(servers, SCHEMA, [TABLE.name], count)
    contents.same(servers, TABLE, SCHEMA, expected)
    return loaded


def _beside(servers: Databases, peer: Peer, file: Path, expected: Checksum) -> Ran:
    servers.empty_schema(SCHEMA, *([peer.table] if peer.table else []))
    ran = peer.run(servers, file)
    contents.same(servers, TABLE, SCHEMA, expected)
    return ran


def then_key(servers: Databases, ran: Ran) -> Ran:
    """Rows go in faster without a key: who is given a table without one makes it afterwards, on its own time."""
    with servers.session() as session:
        session.execute(f"SET search_path = {SCHEMA}".encode())
        began = time.perf_counter()
        session.execute(TABLE.add_key().encode())
        return replace(ran, seconds=ran.seconds + time.perf_counter() - began)


_NO_KEY = TABLE.create_target(key=False)

PEERS = (
    Peer(
        "a ready binary COPY file, one connection",
        0.9,
        lambda servers, file: copyfile.load(servers, SCHEMA, TABLE.name, file),
    ),
    Peer(
        "the same file, the key made afterwards",
        None,
        lambda servers, file: then_key(servers, copyfile.load(servers, SCHEMA, TABLE.name, file)),
        _NO_KEY,
    ),
    Peer(
        "pgloader, the key made afterwards",
        4.0,
        lambda servers, _: then_key(servers, peers.pgloader(servers, TABLE.name, SCHEMA)),
        _NO_KEY,
    ),
    Peer(
        "sling, direct insert, the key made afterwards",
        5.0,
        lambda servers, _: then_key(servers, peers.sling(servers, TABLE.name, SCHEMA)),
        _NO_KEY,
    ),
    Peer("dlt, ConnectorX and CSV, no key", 8.0, lambda servers, _: peers.dlt(servers, [TABLE.name], SCHEMA), None),
)
