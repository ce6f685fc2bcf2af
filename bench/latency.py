"""How long a change takes from its commit at the source until it is visible at the target, through a running task."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench import contents, history, orders, replication
from bench.databases import DATABASE, Databases, databases
from bench.orders import TABLE
from bench.replication import Replication
from bench.table import Limit, Row

RATE = 500
SECONDS = 30
ROUNDS = 3
MEDIAN_MS, P99_MS = 100.0, 500.0
RATE_BAR = 0.95
"""A machine that is too busy to make the changes in time measures something else."""
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.002


@dataclass(slots=True)
class Changes:
    """One row a transaction, `RATE` of them a second, keys from 1 on; `sent[key - 1]`: when the statement was sent that
    makes the row and commits it."""

    servers: Databases
    count: int
    sent: list[float] = field(default_factory=list)
    failure: BaseException | None = None

    def carry_out(self) -> None:
        try:
            made = [
                f"INSERT INTO {TABLE.name} SELECT {orders.values('n')} FROM {orders.numbers(key, key)}".encode()
                for key in range(1, self.count + 1)
            ]
            root = self.servers.source.root(database=DATABASE, autocommit=True)
            with closing(root) as session, session.cursor() as cursor:
                began = time.perf_counter()
                for number, statement in enumerate(made, 1):
                    time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
                    self.sent.append(time.perf_counter())
                    cursor.execute(statement)
        except BaseException as failure:
            self.failure = failure


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: changes in a round."""
    rounds, rates = list[list[float]](), list[float]()
    with databases() as servers, replication.serving() as service:
        for number in range(ROUNDS):
            history.begin(servers)
            schema = f"round_{number}"
            servers.empty_schema(schema, TABLE.create_target())
            task = replication.deploy(service, servers, schema, [TABLE.name])
            task.settle()
            task.resume()
            found, rate = _latencies(servers, task, rows or RATE * SECONDS)
            rounds.append(found)
            rates.append(rate)
            contents.same(servers, TABLE, schema, contents.source_checksum(servers, TABLE, DATABASE))
            task.stop()
    middle = median(median(one) for one in rounds)
    late = median(quantiles(one, n=100)[98] for one in rounds)
    rate = median(rates)
    what = f"changes, {RATE} a second for {len(rounds[0]) / RATE:.0f} s: from commit to visible at the target"
    return [
        Row("changes made for the measurement of latency", f"{rate:.0f} a second", "as asked", rate / RATE, RATE_BAR),
        Row(f"{what}, median", f"{middle:.0f} ms", limit=Limit(middle, MEDIAN_MS, "ms")),
        Row("… 99 of 100", f"{late:.0f} ms", limit=Limit(late, P99_MS, "ms")),
    ]


def _latencies(servers: Databases, task: Replication, count: int) -> tuple[list[float], float]:
    """Milliseconds for each change, by one clock, and changes a second. They become visible in order of their keys."""
    changes = Changes(servers, count)
    writer = threading.Thread(target=changes.carry_out, name="writer")
    writer.start()
    found: list[float] = []
    query = f"SELECT coalesce(max(id), 0) FROM {task.schema}.{TABLE.name}".encode()
    deadline = time.perf_counter() + count / RATE + _PATIENCE_SECONDS
    with servers.session() as session:
        while len(found) < count and changes.failure is None:
            row = session.execute(query).fetchone()
            now = time.perf_counter()
            assert row is not None, "an aggregate always has one row"
            seen = int(str(row[0]))
            found += [1000 * (now - changes.sent[key]) for key in range(len(found), seen)]
            if now > deadline:
                raise TimeoutError(f"{seen} of {count} changes arrived; the task is {task.state()}")
            time.sleep(_POLL_SECONDS)
    writer.join()
    if changes.failure is not None:
        raise changes.failure
    return found, (count - 1) / (changes.sent[-1] - changes.sent[0])
