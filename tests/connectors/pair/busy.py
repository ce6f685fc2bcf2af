"""Somebody who changes the source while a task is at work."""

from __future__ import annotations

import random
import threading
from typing import Any

from pair import Pair

import mysqld

ROWS = 3000


class Busy(threading.Thread):
    """Changes rows of `t (id INT, v VARCHAR(30))` at random, keys included; under a `with` that ends it. The log begins
    a new file now and then, and every other transaction says that it comes from another server."""

    def __init__(self, pair: Pair, seed: int) -> None:
        super().__init__(name="busy")
        self._connection = pair.source.root(database=pair.name)
        self._random = random.Random(seed)
        self._enough = threading.Event()
        self.count = 0

    def __enter__(self) -> Busy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self.join(30)
        assert not self.is_alive()

    def run(self) -> None:
        with self._connection as connection, connection.cursor() as cursor:
            while not self._enough.is_set() or self.count < 300:
                self._transaction(cursor)
                if self.count % 40 == 0:
                    cursor.execute("FLUSH BINARY LOGS")
                if self.count >= 300:
                    # The task runs in this very process: on a busy machine a writer that never rests would starve it.
                    self._enough.wait(0.002)

    def _transaction(self, cursor: Any) -> None:
        other = self._random.choice([1, 77])
        if not mysqld.MYSQL:
            cursor.execute(f"SET SESSION server_id = {other}")
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
