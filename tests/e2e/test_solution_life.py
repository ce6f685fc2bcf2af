"""A solution's whole life, MySQL → PostgreSQL, through the vendor's clients: the short form becomes a text, the text a
solution, the solution loads and follows; a table comes, it stops, goes on, is taken offline and deleted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from test_clients import Client

import mysqld
import servers
from waiting import until

CLIENTS = ["python-10", "python-6", "python-4.7", "python-legacy", "node-pop-POST"]
SEED = (Path(__file__).parents[1] / "golden" / "seed-process-content.json").read_text().rstrip("\n")
ROWS = 500
_NUMBER = itertools.count(1)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, server: servers.Service) -> Iterator[Client]:
    client = Client(request.param, server)
    yield client
    client.close()


class Shop:
    """A database of the source with some tables, a target, and a workspace that knows both as `mm` and `holo`."""

    def __init__(self, client: Client, source: mysqld.Server, target: str, tables: int) -> None:
        number = next(_NUMBER)
        self.client, self.source, self.target, self.database = client, source, target, f"shop{number}"
        source.run(f"CREATE DATABASE {self.database}")
        for name in [f"t{place}" for place in range(tables)]:
            self.add(name)
        self.workspace = int(client.call("CreateProject", ProjectIdentifier=f"s{number}", ProjectName="s")["Data"])
        at = conninfo_to_dict(target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        holo = {"jdbcUrl": url, "username": at["user"], "password": "", "tag": "public"}
        for name, kind, content in (("mm", "mysql", source.content(self.database)), ("holo", "holo", holo)):
            known = {"Name": name, "DataSourceType": kind, "Content": json.dumps(content), "EnvType": 1}
            client.call("CreateDataSource", ProjectId=self.workspace, **known, Description="made by a test")

    def add(self, table: str) -> None:
        values = ",".join(f"({number},'name {number}')" for number in range(ROWS))
        self.source.run(f"CREATE TABLE {self.database}.{table} (id INT PRIMARY KEY, name VARCHAR(40))")
        self.source.run(f"INSERT INTO {self.database}.{table} VALUES {values}")

    def change(self, table: str) -> None:
        self.source.run(
            [
                f"UPDATE {self.database}.{table} SET name = CONCAT(name, ' changed') WHERE id % 7 = 0",
                f"DELETE FROM {self.database}.{table} WHERE id % 11 = 0",
                f"INSERT INTO {self.database}.{table} VALUES ({ROWS + 1},'new')",
            ]
        )

    def same(self, *tables: str) -> bool:
        return all(self._target(table) == self._source(table) for table in tables)

    def leaves(self, table: str, other: str) -> bool:
        """Whether a row of the one table stays behind while one of the other, which came later, arrives."""
        number = 100_000 + next(_NUMBER)
        for each in (table, other):
            self.source.run(f"INSERT INTO {self.database}.{each} VALUES ({number},'later')")
        until(lambda: self.same(other))
        return not self.same(table)

    def _source(self, table: str) -> list[Any]:
        return [tuple(row) for row in self.source.run(f"SELECT id, name FROM {self.database}.{table} ORDER BY id")]

    def _target(self, table: str) -> list[Any]:
        with psycopg.connect(self.target) as connection:
            try:
                return connection.execute(f'SELECT id, name FROM public."{table}" ORDER BY id'.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def ask(self, action: str, **more: Any) -> Any:
        data = self.client.call(action, ProjectId=self.workspace, TaskType="DI_SOLUTION", **more)["Data"]
        assert data["Status"] in ("success", "run"), data
        return data

    def generated(self, action: str, param: dict[str, Any], **more: Any) -> str:
        found = self.ask(action, TaskParam=json.dumps(param), ClientToken=f"{len(str(param))}", **more)
        query = {"AsyncProcessId": found["ProcessId"]}
        until(lambda: self.ask("QueryDISyncTaskConfigProcessResult", **query)["Status"] == "success")
        return str(self.ask("QueryDISyncTaskConfigProcessResult", **query)["TaskContent"])

    def detail(self, file_id: int) -> Any:
        return self.ask("GetDISyncTask", FileId=file_id)["SolutionDetail"]

    def steps(self, file_id: int) -> list[str]:
        found = self.ask("GetDISyncInstanceInfo", FileId=file_id)["SolutionInfo"]["StepDetail"]
        return [step["Status"] for step in found]

    def info(self, file_id: int) -> list[Any]:
        """The table of each step."""
        found = self.ask("GetDISyncInstanceInfo", FileId=file_id)["SolutionInfo"]["StepDetail"]
        return [json.loads(step["Info"]) for step in found]

    def until(self, file_id: int, digit: str) -> None:
        def told() -> str:
            data = self.ask("GetDISyncInstanceInfo", FileId=file_id)
            return f"{self.detail(file_id)['Status']}, not {digit}: {data.get('Message')}"

        until(lambda: bool(self.detail(file_id)["Status"] == digit), told, seconds=60)

    def started(self, content: str) -> int:
        file_id = int(self.ask("CreateDISyncTask", TaskContent=content)["FileId"])
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            self.ask(action, FileId=file_id)
        return file_id

    def stopped(self, file_id: int) -> None:
        self.ask("StopDISyncInstance", FileId=file_id)
        self.until(file_id, "1")

    def files(self, kind: int) -> list[str]:
        asked = {"ProjectId": self.workspace, "FileTypes": str(kind), "PageSize": 100}
        found = self.client.call("ListFiles", **asked)["Data"]["Files"]
        return [file["FileName"] for file in found]


def reader(*tables: str) -> dict[str, Any]:
    return {"connection": [{"datasourceType": "mysql", "datasource": "mm", "table": list(tables)}]}


def short(*tables: str) -> dict[str, Any]:
    writer = {"datasource": "holo", "datasourceSchema": "public"}
    return {
        "type": "realtime",
        "version": "1.0",
        "setting": {"resourceGroup": "group_default", "taskType": "oneclick_to_holo"},
        "steps": [
            {"stepType": "mysql", "parameter": reader(*tables), "name": "Reader", "category": "reader"},
            {"stepType": "holo", "parameter": writer, "name": "Writer", "category": "writer"},
        ],
    }


def test_a_solution_lives(client: Client, source: mysqld.Server, postgres_database: str) -> None:
    shop = Shop(client, source, postgres_database, tables=3)
    text = shop.generated("GenerateDISyncTaskConfigForCreating", short("t0", "t1"))
    file_id = shop.ask("CreateDISyncTask", TaskContent=text, TaskName="shop")["FileId"]
    assert (shop.detail(file_id)["ProcessContent"], shop.detail(file_id)["Status"]) == (text, "1")
    shop.ask("DeployDISyncTask", FileId=file_id)
    assert shop.detail(file_id)["Status"] == "4"
    shop.ask("StartDISyncInstance", FileId=file_id)
    shop.until(file_id, "0")
    assert shop.steps(file_id) == ["success", "success", "success", "run"]
    nodes = [f"oneclick_holo_di_t{place}_to_t{place}" for place in (0, 1)]
    assert shop.files(23) == nodes
    loads = shop.info(file_id)[2]
    assert loads["customProps"]["summary"] == {"tables": 2, "shown": 2, "rows": 2 * ROWS, "progress": "2/2"}
    told = [(row["fileName"], row["rows"], row["status"]) for row in loads["fusionProps"]["dataSource"]]
    assert told == [(name, ROWS, "SUCCESS") for name in nodes]
    shop.change("t0")
    until(lambda: shop.same("t0", "t1"))
    update = {"steps": [{"parameter": reader("t0", "t1", "t2"), "name": "Reader", "category": "reader"}]}
    more = shop.generated("GenerateDISyncTaskConfigForUpdating", update, TaskId=file_id)
    shop.ask("UpdateDISyncTask", FileId=file_id, TaskContent=more)
    until(lambda: len(shop.files(23)) == 3)
    shop.until(file_id, "0")
    shop.change("t1")
    shop.change("t2")
    until(lambda: shop.same("t0", "t1", "t2"))
    assert json.loads(shop.detail(file_id)["ProcessExtra"]) == {"processType": "modify", "tableNum": 3}
    shop.stopped(file_id)
    source.run(f"INSERT INTO {shop.database}.t0 VALUES (100000,'while it stood')")
    shop.ask("StartDISyncInstance", FileId=file_id)
    shop.until(file_id, "0")
    until(lambda: shop.same("t0"))
    update["steps"][0]["parameter"] = reader("t0", "t2")
    less = shop.generated("GenerateDISyncTaskConfigForUpdating", update, TaskId=file_id)
    shop.ask("UpdateDISyncTask", FileId=file_id, TaskContent=less)
    until(lambda: shop.leaves("t1", "t2"))
    until(lambda: shop.same("t0", "t2"))
    assert shop.files(23) == [f"oneclick_holo_di_t{place}_to_t{place}" for place in (0, 2)]
    shop.until(file_id, "0")
    source.run(f"DELETE FROM {shop.database}.t1 WHERE id < 100")
    shop.ask("UpdateDISyncTask", FileId=file_id, TaskContent=more)
    until(lambda: shop.same("t0", "t1", "t2"), seconds=60)
    shop.until(file_id, "0")
    shop.stopped(file_id)
    shop.ask("TerminateDISyncInstance", FileId=file_id)
    assert shop.detail(file_id)["Status"] == "7"
    shop.ask("DeleteDISyncTask", FileId=file_id)
    assert (shop.detail(file_id)["Status"], shop.files(23), shop.files(900)) == ("9", [], [])


@pytest.fixture
def one(server: servers.Service) -> Iterator[Client]:
    client = Client("python-10", server)
    yield client
    client.close()


def test_a_target_that_differs_waits_to_be_confirmed(
    one: Client, source: mysqld.Server, postgres_database: str
) -> None:
    shop = Shop(one, source, postgres_database, tables=2)
    with psycopg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t0 (id INT PRIMARY KEY)")
    file_id = shop.started(SEED)
    shop.until(file_id, "5")
    assert shop.steps(file_id) == ["success", "confirm", "wait", "wait"]
    assert "it has no column name" in shop.ask("GetDISyncInstanceInfo", FileId=file_id)["Message"]
    shop.ask("StartDISyncInstance", FileId=file_id)
    shop.until(file_id, "0")
    until(lambda: shop.same("t1"))
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM t0").fetchone() == (ROWS,)
    shop.stopped(file_id)


def test_a_table_that_cannot_go_on_is_left_behind(one: Client, source: mysqld.Server, postgres_database: str) -> None:
    shop = Shop(one, source, postgres_database, tables=2)
    root = json.loads(SEED)
    root["realtimeSyncConfig"]["content"]["setting"]["ddlMarkMap"] = {"DROPCOLUMN": "CRITICAL"}
    file_id = shop.started(json.dumps(root))
    shop.until(file_id, "0")
    source.run(f"ALTER TABLE {shop.database}.t0 DROP COLUMN name")
    shop.until(file_id, "2")
    shop.change("t1")
    until(lambda: shop.same("t1"))
    data = shop.ask("GetDISyncInstanceInfo", FileId=file_id)
    assert data["Message"].startswith("t0 is left behind")
    rows = json.loads(data["SolutionInfo"]["StepDetail"][2]["Info"])["fusionProps"]["dataSource"]
    assert [(row["tableName"], row["status"]) for row in rows] == [("t0", "FAIL"), ("t1", "SUCCESS")]
    shop.stopped(file_id)
    shop.ask("StartDISyncInstance", FileId=file_id)
    shop.until(file_id, "0")
    shop.stopped(file_id)


def test_the_seeds_own_solution_takes_every_table(one: Client, source: mysqld.Server, postgres_database: str) -> None:
    shop = Shop(one, source, postgres_database, tables=4)
    file_id = shop.ask("CreateDISyncTask", TaskContent=SEED)["FileId"]
    found = shop.detail(file_id)
    assert (found["ProcessContent"], found["ProcessExtra"]) == (SEED, '{"processType":"new","tableNum":4}')
    shop.ask("DeployDISyncTask", FileId=file_id)
    shop.ask("StartDISyncInstance", FileId=file_id)
    shop.until(file_id, "0")
    for place in range(4):
        shop.change(f"t{place}")
    until(lambda: shop.same(*(f"t{place}" for place in range(4))))
    assert shop.files(900) == [f"oneclick_{found['Name']}"]
    shop.stopped(file_id)
