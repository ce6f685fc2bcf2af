"""A history of changes to the measured table, the same one at every telling: transactions of 100 row events each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing

from pymysql.constants import CLIENT

from bench import orders
from bench.databases import DATABASE, Databases
from bench.orders import TABLE

INSERTS, UPDATES, DELETES = 60, 30, 10
EVENTS = INSERTS + UPDATES + DELETES


class History:
    """Which rows there are, and what happens to them next. Keys grow; what is changed is drawn from all rows there."""

    def __init__(self, single: bool = False) -> None:
        """`single`: a statement for every row, as an application's; else one a kind, as a job's."""
        self._random = random.Random(20261125)
        self._single = single
        self._present: list[int] = []
        self.last = 0
        """The greatest key: its row, inserted by the last transaction, is not touched in it again."""

    def transaction(self) -> tuple[list[str], set[int]]:
        """The next one's statements, and the keys of the rows that it touches."""
        first, self.last = self.last + 1, self.last + INSERTS
        new = range(first, self.last + 1)
        self._present += new
        places = self._random.sample(range(len(self._present) - 1), UPDATES + DELETES)
        updated, deleted = ([self._present[at] for at in part] for part in (places[:UPDATES], places[UPDATES:]))
        for at in sorted(places[UPDATES:], reverse=True):
            self._present[at] = self._present[-1]
            self._present.pop()
        return self._statements(new, updated, deleted), {*new, *updated, *deleted}

    def _statements(self, new: range, updated: list[int], deleted: list[int]) -> list[str]:
        inserts = [range(key, key + 1) for key in new] if self._single else [new]
        updates = [[key] for key in updated] if self._single else [updated]
        deletes = [[key] for key in deleted] if self._single else [deleted]
        return [*map(_insert, inserts), *map(_update, updates), *map(_delete, deletes)]


def begin(servers: Databases) -> None:
    """The source's table anew, empty; this is in the log."""
    servers.source.run([f"DROP TABLE IF EXISTS {TABLE.name}", TABLE.create_source()], DATABASE)


def tell(servers: Databases, history: History, events: int, logged: bool = True) -> Iterator[set[int]]:
    """Carry out so many events of a history; yields after every transaction the keys that it touched."""
    flags = CLIENT.MULTI_STATEMENTS
    with closing(servers.source.root(database=DATABASE, client_flag=flags)) as session, session.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_log_bin = {int(logged)}")
        # How fast the history comes about is not measured.
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        for _ in range(events // EVENTS):
            statements, touched = history.transaction()
            cursor.execute("; ".join(["BEGIN", *statements, "COMMIT"]))
            while cursor.nextset():
                pass
            yield touched
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


def _insert(keys: range) -> str:
    return f"INSERT INTO {TABLE.name} SELECT {orders.values('n')} FROM {orders.numbers(keys[0], keys[-1])}"


def _update(keys: list[int]) -> str:
    changed = "quantity = COALESCE(quantity, 0) + 1, paid = 1 - COALESCE(paid, 0), city = '南京', due = '2026-11-25'"
    return f"UPDATE {TABLE.name} SET {changed} WHERE id IN ({', '.join(map(str, keys))})"


def _delete(keys: list[int]) -> str:
    return f"DELETE FROM {TABLE.name} WHERE id IN ({', '.join(map(str, keys))})"
