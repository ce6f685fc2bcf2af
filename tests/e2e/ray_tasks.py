"""A full load of which Ray tasks read parts, seen by their user, and from below."""

from __future__ import annotations

import re

import psutil
import psycopg
import shop

import mysqld
from ray_cluster import Cluster
from waiting import until

ROWS = 700_000
CHANNELS = 6
"""So 24 parts, and six seats: the worker that has no load of its own takes three at most."""
SLOW = """
CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40) NOT NULL, amount numeric(12,2), note text);
CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END';
CREATE TRIGGER rest BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.id % 100 = 0) EXECUTE FUNCTION rest();
"""
"""A target that takes 35 s for them over six channels, so that there is time to strike."""


def stock(source: mysqld.Server, rows: int = ROWS) -> None:
    shop.stock(source, 1)
    rest = f"SELECT seq, CONCAT('name ', seq), seq + 0.25, NULL FROM shop.seq_1_to_{rows - 1}"
    source.run([f"INSERT INTO shop.orders {rest}", "ANALYZE TABLE shop.orders"])


def slow(target: str) -> str:
    with psycopg.connect(target) as connection:
        connection.execute(SLOW)
    return target


class Tasks:
    """Those of a cluster, whose installation has its store at this URL."""

    def __init__(self, ray: Cluster, store: str) -> None:
        self._ray, self._store = ray, store

    def processes(self) -> dict[str, psutil.Process]:
        """By their names."""
        found: dict[str, psutil.Process] = {}
        for process in self._ray.processes():
            with_name = _title(process).partition("ray::help-")
            if with_name[1]:
                found["help-" + with_name[2].split()[0]] = process
        return found

    def reading(self) -> set[str]:
        """Those that have parts in their hands."""
        query = "SELECT worker FROM seat JOIN lent USING (file_id, seat) WHERE back = ''"
        with psycopg.connect(self._store) as connection:
            return {name for (name,) in connection.execute(query) if name.startswith("help-")}

    @property
    def read(self) -> int:
        """How many parts were read to their end by those that have ended in order."""
        ended = re.findall(r'"a helper ends" worker=help-\w+ parts=(\d+)', self._ray.log())
        return sum(int(parts) for parts in ended)

    def sitting(self) -> set[str]:
        """Those that have seats which have not lapsed."""
        query = "SELECT worker FROM seat WHERE lease_until_ms > extract(epoch FROM now()) * 1000"
        with psycopg.connect(self._store) as connection:
            return {name for (name,) in connection.execute(query) if name.startswith("help-")}

    def failovers(self) -> int:
        with psycopg.connect(self._store) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM failover").fetchall()
        return int(count)


def comes_through(world: shop.World, rows: int = ROWS) -> None:
    """The load ends, and what is there is what is at the source."""
    until(lambda: world.select("SELECT count(*) FROM orders") == [(rows,)], lambda: str(world.info()), seconds=120)
    assert world.rows() == world.truth()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
