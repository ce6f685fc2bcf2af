"""Load, then follow: whatever is written meanwhile, the target ends up equal to the source (C01, C04, C05, C14)."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from source import Database, Log, changes_in

from contract.source import rows_in
from disync.connectors.mysql import chunks
from disync.model.data import Batch
from disync.model.run import Start

ROWS = 2000


class Writer(threading.Thread):
    """Changes rows at random, keys included, until it is told to stop; then writes one last row."""

    def __init__(self, database: Database, seed: int) -> None:
        super().__init__()
        self._connection = database.server.root(database=database.name)
        self._random = random.Random(seed)
        self.enough = threading.Event()
        self.count = 0

    def run(self) -> None:
        with self._connection as connection, connection.cursor() as cursor:
            while not self.enough.is_set() or self.count < 300:
                self._transaction(cursor)
            cursor.execute("INSERT INTO t VALUES (-1, 'the last')")

    def _transaction(self, cursor: Any) -> None:
        cursor.execute("BEGIN")
        for _ in range(self._random.randrange(1, 5)):
            self.count += 1
            key, other = self._random.randrange(ROWS * 2), self._random.randrange(ROWS * 2)
            statement = self._random.choice(
                [
                    f"REPLACE INTO t VALUES ({key}, 'new {self.count}')",
                    f"DELETE FROM t WHERE id = {key}",
                    f"UPDATE t SET v = 'changed {self.count}' WHERE id BETWEEN {key} AND {key + 3}",
                    f"UPDATE IGNORE t SET id = {other} WHERE id = {key}",
                    f"INSERT INTO t VALUES ({ROWS * 2 + self.count}, 'at the end')",
                ]
            )
            cursor.execute(statement)
        cursor.execute(self._random.choice(["COMMIT", "COMMIT", "ROLLBACK"]))


def _apply(target: dict[int, str], events: list[Any]) -> None:
    for op, (key, value) in changes_in(events):
        if op in "BD":
            target.pop(key, None)
        else:
            target[key] = value


@pytest.mark.parametrize("seed", range(3))
def test_c01_c05_load_and_changes_meet(database: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LEAST_ROWS", 1)
    monkeypatch.setattr("disync.connectors.mysql.pages.PAGE_ROWS", 150)
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))")
    database.run(f"INSERT INTO t SELECT seq * 2, 'first' FROM seq_0_to_{ROWS - 1}", "ANALYZE TABLE t")
    writer = Writer(database, seed)
    writer.start()
    try:
        reader = database.reader("t", batchSize=100)
        (stream,) = reader.streams()
        after = reader.seek(stream, Start("latest"))
        target: dict[int, str] = {}
        for split in reader.split(4):
            target |= dict(rows_in(list(reader.read(split, None))))
    finally:
        writer.enough.set()
        writer.join(30)
    events = Log(database, reader, after).until(
        lambda event, _: isinstance(event, Batch) and any(row[0] == -1 for _, row in changes_in([event]))
    )
    _apply(target, events)
    assert target == _source(database)
    reader.close()


def _source(database: Database) -> Mapping[int, str]:
    return dict(database.run("SELECT * FROM t"))
