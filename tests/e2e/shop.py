"""A database `shop` with orders, and a task that brings it into a PostgreSQL, seen by their user."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from test_crash import SPEC

import mysqld
import servers
from disync.gateway.client import Client
from waiting import until

ROWS = 3000


class World:
    """`channels`: `setting.speed.concurrent`; 0: it is not said. `table`: the only one."""

    def __init__(
        self,
        service: servers.Service,
        source: mysqld.Server,
        target: str,
        group: str = "",
        channels: int = 0,
        table: str = "",
    ) -> None:
        self.service, self.source, self.target = service, source, target
        self.api = Client(f"http://{service.address}", *service.key)
        at = conninfo_to_dict(target)
        contents = {
            "mm": ("mysql", source.content("shop")),
            "holo": (
                "holo",
                {
                    "jdbcUrl": f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}",
                    "username": at["user"],
                    "password": "",
                    "tag": "public",
                },
            ),
        }
        for name, (kind, content) in contents.items():
            self.call("CreateDataSource", Name=name, DataSourceType=kind, EnvType="1", Content=json.dumps(content))
        self.file_id = self.begin("shop", group, channels, table=table)

    def begin(self, name: str, group: str = "", channels: int = 0, cu: float = 0, table: str = "") -> str:
        """Create a task, of one table or of all, deploy it and start it. Returns its FileId."""
        tables = [table] if table else []
        steps = [
            {
                "stepType": "mysql",
                "name": "reader",
                "category": "reader",
                "parameter": {"connection": [{"datasource": "mm", "datasourceType": "mysql", "table": tables}]},
            },
            {
                "stepType": "holo",
                "name": "writer",
                "category": "writer",
                "parameter": {"datasource": "holo", "writeMode": "replay", "datasourceSchema": "public"},
            },
        ]
        job: dict[str, Any] = {"steps": steps, "order": {"hops": [{"from": "reader", "to": "writer"}]}}
        code = json.dumps(job | ({"setting": {"speed": {"concurrent": channels}}} if channels else {}))
        param = json.dumps(({"ResourceGroup": group} if group else {}) | ({"Cu": cu} if cu else {}))
        task = {"TaskType": "DI_REALTIME", "TaskName": name, "TaskContent": code, "TaskParam": param}
        created = self.call("CreateDISyncTask", **task)["Data"]
        assert created["Status"] == "success", created
        file_id = str(created["FileId"])
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            answer = self.call(action, TaskType="DI_REALTIME", FileId=file_id)["Data"]
            assert answer["Status"] == "success", answer
        return file_id

    def call(self, action: str, **parameters: str) -> dict[str, Any]:
        return self.api.call(SPEC.operations[action], {"ProjectId": "10000", **parameters})

    def task(self, action: str) -> dict[str, Any]:
        return self.call(action, TaskType="DI_REALTIME", FileId=self.file_id)

    def remove(self) -> None:
        """So that the next one may have the names."""
        self.end(self.file_id)
        for source in self.call("ListDataSources", PageSize="100")["Data"]["DataSources"]:
            self.api.call(SPEC.operations["DeleteDataSource"], {"DataSourceId": str(source["Id"])})

    def end(self, file_id: str) -> None:
        for action in ("StopDISyncInstance", "DeleteDISyncTask"):
            call = partial(self.call, action, TaskType="DI_REALTIME", FileId=file_id)
            until(lambda call=call: call()["Data"]["Status"] == "success")  # type: ignore[misc]

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = self.task("GetDISyncInstanceInfo")["Data"]
        return found

    def state(self) -> str:
        return str(self.info()["Status"])

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Of the target; nothing while there is no such table yet."""
        with psycopg.connect(self.target) as connection:
            try:
                return connection.execute(query.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def columns(self) -> list[str]:
        query = "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'orders'"
        return [name for (name,) in self.select(query)]

    def rows(self) -> list[tuple[Any, ...]]:
        return self.select("SELECT id, name, amount::text, note FROM orders ORDER BY id")

    def truth(self) -> list[tuple[Any, ...]]:
        query = "SELECT id, name, CAST(amount AS CHAR), note FROM shop.orders ORDER BY id"
        return [tuple(row) for row in self.source.run(query)]


def stock(source: mysqld.Server, rows: int = ROWS) -> None:
    """Make the database anew, with so many orders."""
    source.run("DROP DATABASE IF EXISTS shop")
    source.run("CREATE DATABASE shop")
    source.run(
        "CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL, amount DECIMAL(12,2), note TEXT)"
    )
    values = ",".join(f"({i},'name {i}',{i}.25,NULL)" for i in range(rows))
    source.run(f"INSERT INTO shop.orders VALUES {values}")


def change(source: mysqld.Server, seed: int, rounds: int) -> None:
    """So many random transactions."""
    for statements in islice(changes(seed), rounds):
        source.run(statements)


def changes(seed: int) -> Iterator[list[str]]:
    """Random inserts, updates, deletes and key updates without end, several to a transaction."""
    random_ = random.Random(seed)
    for top in count(ROWS * (1 + seed) + 10, 10):
        some = random_.randrange(top)
        statements = [
            f"INSERT IGNORE INTO shop.orders (id, name, amount, note) VALUES ({top},'new {top}',1.50,'说明\\t\\n\\\\')",
            f"UPDATE shop.orders SET amount=amount+1 WHERE id BETWEEN {some} AND {some + 20}",
            f"DELETE FROM shop.orders WHERE id={random_.randrange(top)}",
            f"UPDATE IGNORE shop.orders SET id=id+1 WHERE id={random_.randrange(top)}",
        ]
        yield ["BEGIN", *random_.sample(statements, k=random_.randint(1, 4)), "COMMIT"]
