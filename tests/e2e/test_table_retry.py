"""One table of a solution fails, is mended and retried alone, while the others go on; and any table is loaded again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from own_client import OwnClient
from test_solution_life import SEED, Shop

import mysqld
import servers
from waiting import until


@pytest.fixture
def service(tmp_path: Path) -> Iterator[servers.Service]:
    with servers.disync(tmp_path, datahub=False) as found:
        yield found


class Watched:
    """A shop of five tables whose solution runs, and what our own operations tell of it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        root = json.loads(SEED)
        root["realtimeSyncConfig"]["content"]["setting"] |= {
            "ddlMarkMap": {"ADDCOLUMN": "CRITICAL"},
            "errorLimit": {"record": 0},
        }
        self.file_id = shop.started(json.dumps(root))
        shop.until(self.file_id, "0")

    def ask(self, action: str, **more: str) -> Any:
        return self.shop.client.call(action, ProjectId=self.shop.workspace, FileId=self.file_id, **more)["Data"]

    def states(self) -> dict[str, str]:
        return {one["SourceTable"]: one["Status"] for one in self.ask("ListDISyncInstanceTables")["Tables"]}

    def message(self, table: str) -> str:
        (found,) = self.ask("ListDISyncInstanceTables", Keyword=table)["Tables"]
        return str(found["Message"])

    def place(self) -> tuple[str, int]:
        """How far the log is followed."""
        marks = self.ask("ListDISyncCheckpoints")["Checkpoints"]
        (mark,) = [mark["Position"].split()[0] for mark in marks if mark["Split"] == "binlog"]
        file, _, at = mark.rpartition(":")
        return file, int(at)

    def failovers(self) -> int:
        (found,) = self.ask("ListDISyncInstances")["Instances"]
        return int(found["Failovers"])

    def retry(self, *tables: str) -> None:
        done = self.ask("RetryDISyncTables", Tables=json.dumps(tables))
        assert (done["Status"], done["Tables"], done["Runs"]) == ("success", len(tables), True)

    def target(self, statement: str) -> None:
        with psycopg.connect(self.shop.target, autocommit=True) as target:
            target.execute(statement.encode())

    def source(self, statement: str) -> None:
        self.shop.source.run(statement, self.shop.database)

    @contextmanager
    def busy(self, table: str) -> Iterator[None]:
        """Somebody writes into a table all the time."""
        over = threading.Event()

        def write() -> None:
            number = 500_000
            while not over.wait(0.02):
                number += 1
                self.source(f"INSERT INTO {table} VALUES ({number}, 'busy')")

        writer = threading.Thread(target=write, name="busy")
        writer.start()
        try:
            yield
        finally:
            over.set()
            writer.join()


@pytest.mark.timeout(300)
def test_a_table_that_fails_is_mended_and_retried_alone(
    service: servers.Service, source: mysqld.Server, postgres_database: str
) -> None:
    shop = Shop(OwnClient(service), source, postgres_database, tables=5)
    watched = Watched(shop)
    with watched.busy("t3"):
        watched.source("ALTER TABLE t0 ADD COLUMN more INT")
        watched.target("ALTER TABLE public.t1 ADD CHECK (name <> 'bad')")
        watched.source("INSERT INTO t1 VALUES (90001, 'bad')")
        watched.target("DROP TABLE public.t2")
        watched.source("UPDATE t2 SET name = 'unseen' WHERE id < 10")
        failed = {
            "t0": "ADDCOLUMN of t0 stops",
            "t1": "errorLimit.record allows 0",
            "t2": "loaded again (RetryDISyncTables)",
        }
        until(lambda: all(watched.states()[table] == "FAIL" for table in failed), lambda: str(watched.states()))
        for table, why in failed.items():
            assert why in watched.message(table)
        shop.until(watched.file_id, "2")

        watched.target("ALTER TABLE public.t0 ADD COLUMN more integer")
        watched.target("ALTER TABLE public.t1 DROP CONSTRAINT t1_name_check")
        watched.source("DELETE FROM t0 WHERE id < 100")
        before = watched.place()
        watched.retry("t0")
        until(lambda: watched.states()["t0"] == "FOLLOW" and shop.same("t0"), lambda: str(watched.states()))
        assert {watched.states()[table] for table in ("t1", "t2")} == {"FAIL"}, "each alone"
        watched.retry("t1", "t2")
        until(lambda: shop.same("t1", "t2"), lambda: str(watched.states()))
        shop.until(watched.file_id, "0")
        assert watched.place() >= before
        watched.source("UPDATE t0 SET more = 5, name = 'mended'")
        shop.change("t1")
        shop.change("t2")
        until(lambda: shop.same("t0", "t1", "t2"))
    until(lambda: shop.same("t0", "t1", "t2", "t3", "t4"))
    assert watched.failovers() == 0 and watched.ask("ListDISyncDirtyRows")["Rows"] == []

    watched.target("DELETE FROM public.t4 WHERE id % 2 = 0")
    watched.target("INSERT INTO public.t4 VALUES (-1, 'from nowhere')")
    watched.retry("t4")
    until(lambda: shop.same("t4"), lambda: str(watched.states()))
    shop.change("t4")
    until(lambda: shop.same("t4"))
    assert {*watched.states().values()} == {"FOLLOW"}
    shop.stopped(watched.file_id)
