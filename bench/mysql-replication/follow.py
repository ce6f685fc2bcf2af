"""The first row events of a MariaDB log by mysql-replication: thrown away, or brought into PostgreSQL.

Run as `follow.py PORT USER PASSWORD FILE POSITION EVENTS [TARGET_URL TABLE KEY]`, in the library's own environment.
Prints SECONDS and how many it took from the connection to the last row, or to its commit.
"""

import time
from collections.abc import Iterator
from sys import argv
from typing import Any

import psycopg
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

BATCH = 1000
Row = dict[str, Any]


def changes(port: str, user: str, password: str, file: str, position: str) -> Iterator[tuple[bool, Row]]:
    """Whether the row is there afterwards, and the row."""
    stream = BinLogStreamReader(
        connection_settings={"host": "127.0.0.1", "port": int(port), "user": user, "passwd": password},
        server_id=4711,
        only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
        log_file=file,
        log_pos=int(position),
        resume_stream=True,
    )
    for event in stream:
        for row in event.rows:
            if isinstance(event, UpdateRowsEvent):
                yield True, row["after_values"]
            else:
                yield isinstance(event, WriteRowsEvent), row["values"]


class Target:
    """The last state of each key in a batch goes in together: one statement for the rows, one for the gone."""

    def __init__(self, url: str, table: str, key: str) -> None:
        self.session = psycopg.connect(url)
        self.table, self.key = table, key
        self.states: dict[Any, Row | None] = {}
        self.taken = 0

    def take(self, stays: bool, row: Row) -> None:
        self.states[row[self.key]] = row if stays else None
        self.taken += 1
        if self.taken == BATCH:
            self.flush()

    def flush(self) -> None:
        rows = [list(row.values()) for row in self.states.values() if row is not None]
        gone = [key for key, row in self.states.items() if row is None]
        with self.session.cursor() as cursor:
            if gone:
                cursor.execute(f"DELETE FROM {self.table} WHERE {self.key} = ANY(%s)", (gone,))
            if rows:
                cursor.executemany(self._upsert(next(row for row in self.states.values() if row)), rows)
        self.session.commit()
        self.states, self.taken = {}, 0

    def _upsert(self, row: Row) -> str:
        news = ", ".join(f"{name} = EXCLUDED.{name}" for name in row if name != self.key)
        insert = f"INSERT INTO {self.table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
        return f"{insert} ON CONFLICT ({self.key}) DO UPDATE SET {news}"


def main() -> None:
    *log, events = argv[1:7]
    target = Target(*argv[7:]) if argv[7:] else None
    began, count = time.perf_counter(), 0
    for stays, row in changes(*log):
        if target is not None:
            target.take(stays, row)
        count += 1
        if count == int(events):
            break
    if target is not None:
        target.flush()
    seconds = time.perf_counter() - began
    if count != int(events):
        raise SystemExit(f"the log held {count} events, not {events}")
    print(f"SECONDS {seconds:.3f}")


main()
