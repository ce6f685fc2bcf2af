"""C18: a table without a key is loaded whole, in one transaction of the target: what failed half-way is not there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from source import Database

from disync.engine import pace
from disync.engine.ledger import Notebook
from disync.engine.plan import plan
from disync.engine.task import Run
from disync.model.data import Dirty
from disync.model.errors import Unreachable
from disync.model.run import Checkpoint, Start, Tally, Task

ROWS = 45_000


class Leased:
    valid = True


class Failing(Notebook):
    """The store is away when the load is to be saved for the first time. The second time the run is asked to stop."""

    run: Run | None = None

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        run, self.run = self.run, None
        if run is None:
            raise Unreachable("the store is away")
        if checkpoint.done:
            run.stop()
        return super().save(checkpoint, dirty, tally)


def _task(database: Database, target: str, epoch: int) -> Task:
    at = conninfo_to_dict(target)
    url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
    steps: list[dict[str, Any]] = [
        {"name": "r", "stepType": "mysql", "parameter": {"datasource": "m", "table": ["t"]}},
        {"name": "w", "stepType": "postgresql", "parameter": {"datasource": "p", "writeMode": "insert"}},
    ]
    code = json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})
    sources = {
        "m": database.server.content(database.name),
        "p": {"jdbcUrl": url, "username": str(at["user"]), "password": "", "tag": "public"},
    }
    return Task(1, "keyless", epoch, code, sources, Start("earliest"))


def test_c18_a_load_without_a_key_that_fails_leaves_no_row_twice(
    database: Database, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FLUSH_SECONDS", 0.0)  # every moment is one at which to flush
    database.run("CREATE TABLE t (a INT, b VARCHAR(20))", f"INSERT INTO t SELECT seq, 'x' FROM seq_1_to_{ROWS}")
    ledger = Failing()
    first, second = (_task(database, postgres_database, epoch) for epoch in (1, 2))
    with Run(plan(first), first, ledger, Leased()) as run, pytest.raises(Unreachable):
        run.go()
    with Run(plan(second), second, ledger, Leased()) as run:
        ledger.run = run
        run.go()
    with psycopg.connect(postgres_database) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT a) FROM t").fetchone()
    assert found == (ROWS, ROWS)
