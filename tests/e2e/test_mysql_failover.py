"""A primary dies under writes, its replica takes its place, and the task goes on: nothing is missing, nothing is twice.

The target keeps every change as a row (`writeMode` insert), so that a transaction applied twice would be seen.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from test_crash import SPEC, until

import mysqld
import servers
import tcp_proxy
from disync.gateway.client import Client
from mysqld_group import caught_up, follow, group, promote


class World:
    """Two tasks over one proxy: `rows` replays changes, `log` appends them."""

    def __init__(self, service: servers.Service, source: dict[str, str], target: str) -> None:
        self.target = target
        self.api = Client(f"http://{service.address}", *service.key)
        at = conninfo_to_dict(target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        holo = {"jdbcUrl": url, "username": str(at["user"]), "password": "", "tag": "public"}
        for name, kind, content in (("mm", "mysql", source), ("hh", "holo", holo)):
            self.call("CreateDataSource", Name=name, DataSourceType=kind, EnvType="1", Content=json.dumps(content))
        self.ids = [self._task("rows", "replay"), self._task("log", "insert")]

    def _task(self, schema: str, mode: str) -> str:
        steps = [
            {"stepType": "mysql", "name": "r", "parameter": {"connection": [{"datasource": "mm", "table": ["t"]}]}},
            {
                "stepType": "holo",
                "name": "w",
                "parameter": {"datasource": "hh", "writeMode": mode, "datasourceSchema": schema},
            },
        ]
        code = json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})
        made = self.call("CreateDISyncTask", TaskType="DI_REALTIME", TaskName=schema, TaskContent=code)["Data"]
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            answer = self.call(action, TaskType="DI_REALTIME", FileId=str(made["FileId"]))["Data"]
            assert answer["Status"] == "success", answer
        return str(made["FileId"])

    def call(self, action: str, **parameters: str) -> dict[str, Any]:
        return self.api.call(SPEC.operations[action], {"ProjectId": "10000", **parameters})

    def states(self) -> list[str]:
        return [
            str(self.call("GetDISyncInstanceInfo", TaskType="DI_REALTIME", FileId=file_id)["Data"]["Status"])
            for file_id in self.ids
        ]

    def followed(self) -> bool:
        """Whether both tasks have loaded their table."""
        answers = [self.call("ListDISyncInstanceTables", FileId=file_id)["Data"]["Tables"] for file_id in self.ids]
        return all(tables and all(table["Status"] == "FOLLOW" for table in tables) for tables in answers)

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.target) as connection:
            try:
                return connection.execute(query.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []


@pytest.fixture
def pair() -> Iterator[list[mysqld.Server]]:
    # What the first server has told, it still has when it comes back.
    with group(1, innodb_flush_log_at_trx_commit="1", sync_binlog="1") as servers_:
        servers_[0].run("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "own")
        yield servers_


def _write(server: mysqld.Server, first: int, count: int) -> None:
    for number in range(first, first + count):
        server.run(["BEGIN", f"INSERT INTO own.t VALUES ({number}, 0)", f"UPDATE own.t SET v = {number}", "COMMIT"])


def test_c43_a_task_survives_a_failover_and_the_way_back(
    pair: list[mysqld.Server], postgres_database: str, tmp_path: Path
) -> None:
    primary, replica = pair
    with servers.disync(tmp_path, datahub=False) as service, tcp_proxy.proxy(primary.port) as proxy:
        world = World(service, primary.content("own", proxy.port), postgres_database)

        def equal(server: mysqld.Server) -> bool:
            return world.select('SELECT id, v FROM "rows".t ORDER BY id') == [tuple(row) for row in server.run(TRUTH)]

        # A row that is written before its table has been read comes with the load, and once more as a change.
        until(world.followed)
        _write(primary, 1, 20)
        until(lambda: len(world.select("SELECT 1 FROM log.t WHERE _operation_type_ = 'I'")) >= 20)
        _write(primary, 21, 20)
        caught_up(replica, primary)
        primary.stop(signal.SIGKILL)
        proxy.lead_to(replica.port)
        promote(replica)
        _write(replica, 41, 10)
        until(lambda: equal(replica))
        # The first server comes back as a replica, and is made the primary again.
        primary.start()
        follow(primary, replica)
        caught_up(primary, replica)
        proxy.lead_to(primary.port)
        promote(primary)
        _write(primary, 51, 10)
        until(lambda: equal(primary))
        until(lambda: len(world.select("SELECT 1 FROM log.t WHERE _operation_type_ = 'I'")) >= 60)
        twice = "SELECT id, count(*) FROM log.t WHERE _operation_type_ = 'I' GROUP BY id HAVING count(*) <> 1"
        assert world.select(twice) == []
        updates = "SELECT count(*) FROM log.t WHERE _operation_type_ = 'U' AND _after_image_ = 'Y'"
        expected = sum(range(1, 61))
        until(lambda: world.select(updates)[0][0] >= expected)
        assert world.select(updates) == [(expected,)]
        until(lambda: world.states() == ["RUN", "RUN"])


TRUTH = "SELECT id, v FROM own.t ORDER BY id"
