"""Who changes the demo's rows while they are being copied: inserts, updates, deletes and changes of keys, at random."""

from __future__ import annotations

import random
import threading
from typing import Any

import pymysql

from disync.demo.mariadb import MariaDB

MARKER = "INSERT INTO airlines (carrier, name) VALUES (%s, 'a mark, inserted last')"

_STATEMENTS = (
    "UPDATE flights SET dep_delay = COALESCE(dep_delay, 0) + 1, tailnum = NULL WHERE id BETWEEN {low} AND {low} + 200",
    "UPDATE flights SET air_time = air_time + 1, dest = REVERSE(dest) WHERE id BETWEEN {low} AND {low} + 400",
    "DELETE FROM flights WHERE id BETWEEN {low} AND {low} + 40",
    # New rows from old ones, under numbers of the server's own choice.
    "INSERT INTO flights (year, month, day, carrier, flight, tailnum, origin, dest, distance, time_hour) "
    "SELECT year, month, day, carrier, flight, tailnum, origin, dest, distance, time_hour FROM flights "
    "WHERE id BETWEEN {low} AND {low} + 60",
    # Another key for the same row; twice gives the first key again.
    "UPDATE flights SET id = -id WHERE id BETWEEN {low} AND {low} + 50 OR id BETWEEN -{low} - 50 AND -{low}",
    "UPDATE weather SET temp = temp + 0.5, wind_speed = wind_speed * 1.1 WHERE month = {month} AND day = {day}",
    "UPDATE weather SET time_hour = time_hour + INTERVAL 8 YEAR WHERE month = {month} AND day = {day} AND hour < 5",
    # The same key for MariaDB, another one for PostgreSQL.
    "UPDATE planes SET tailnum = IF(BINARY tailnum = UPPER(tailnum), LOWER(tailnum), UPPER(tailnum)) "
    "WHERE seats = {seats}",
    "UPDATE airports SET name = CONCAT('\t\\\\ «', LEFT(name, 60), '» 航站楼'), alt = -alt WHERE faa LIKE '{letter}%'",
)


class Changes:
    """A thread that changes rows, some statements to a transaction, until it is stopped.

    `rows`: changed so far. `pause`: seconds between two transactions; it may be set at any time.
    """

    def __init__(self, server: MariaDB, seed: int, top: int) -> None:
        self._server = server
        self._random = random.Random(seed)
        self._top = top
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self.rows = 0
        self.pause = 0.25
        self._thread = threading.Thread(target=self._go, name="changes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> int:
        """Stop; what is committed then is all there is. The rows changed. Raises what went wrong."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self.rows

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def _go(self) -> None:
        try:
            connection = self._server.connect()
            try:
                while not self._stop.wait(self.pause):
                    self.rows += self.transaction(connection)
            finally:
                connection.close()
        except BaseException as failure:
            self._failure = failure

    def transaction(self, connection: pymysql.Connection[Any]) -> int:
        """One to four of the statements; the rows they changed."""
        chosen = self._random.choices(_STATEMENTS, k=self._random.randint(1, 4))
        connection.begin()
        with connection.cursor() as cursor:
            changed = sum(int(cursor.execute(self._filled(statement))) for statement in chosen)
        connection.commit()
        return changed

    def _filled(self, statement: str) -> str:
        of = self._random
        return statement.format(
            low=of.randint(1, self._top),
            month=of.randint(1, 12),
            day=of.randint(1, 31),
            seats=of.choice((2, 4, 20, 55, 95, 102, 140, 149, 178, 182, 200, 255)),
            letter=of.choice("ABCDEFGHJKLMPRSTW"),
        )
