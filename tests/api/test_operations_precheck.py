"""DeployDISyncTask asks the source: what is certainly wrong refuses the task, what cannot be told is a warning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from operating import PROJECT, Call, create, data_source, task

import mysqld
from disync.model.errors import Refused


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run(["CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY)"])
        yield server


def _made(call: Call, content: dict[str, str], *tables: str, **target: str) -> int:
    """The id of a task that reads this source."""
    data_source(call, "mm", DataSourceType="mysql", Content=json.dumps(content))
    holo = {"jdbcUrl": "jdbc:postgresql://127.0.0.1:1/x", "username": "u", "password": "", "tag": "public"}
    data_source(call, "hh", DataSourceType="holo", Content=json.dumps(holo))
    steps: list[dict[str, Any]] = [
        {"stepType": "mysql", "name": "r", "parameter": {"connection": [{"datasource": "mm", "table": list(tables)}]}},
        {"stepType": "holo", "name": "w", "parameter": {"datasource": "hh", **target}},
    ]
    code = json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})
    return int(create(call, TaskContent=code)["FileId"])


def test_a_source_that_can_be_followed_is_deployed(call: Call, source: mysqld.Server) -> None:
    answer = call("DeployDISyncTask", **task(_made(call, source.content("shop"))))["Data"]
    assert (answer["Status"], answer["Message"]) == ("success", None)


def test_a_certain_fault_refuses_the_task_with_its_remedy(call: Call, source: mysqld.Server) -> None:
    source.run("SET GLOBAL binlog_format = 'MIXED'")
    try:
        file_id = _made(call, source.content("shop"))
        with pytest.raises(Refused, match=r"\$\.steps\[0\]: binlog_format is MIXED.*SET GLOBAL binlog_format = 'ROW'"):
            call("DeployDISyncTask", **task(file_id))
        assert call("GetFile", **PROJECT, FileId=file_id)["Data"]["File"]["CommitStatus"] == 0
    finally:
        source.run("SET GLOBAL binlog_format = 'ROW'")
    assert call("DeployDISyncTask", **task(file_id))["Data"]["Status"] == "success"


def test_a_source_out_of_reach_is_deployed_with_a_warning(call: Call, source: mysqld.Server) -> None:
    answer = call("DeployDISyncTask", **task(_made(call, source.content("shop", 1))))["Data"]
    assert answer["Status"] == "success"
    assert any("$.steps[0]: the source was not checked now" in warning for warning in answer["Warnings"])


def test_c90_two_tables_into_one_are_refused_when_the_task_is_deployed(call: Call, source: mysqld.Server) -> None:
    file_id = _made(call, source.content("shop"), "orders", "items", table="all")
    with pytest.raises(
        Refused, match=r'\$\.steps\[1\]\.parameter\.table: 2 tables .* "all": items, orders\. Leave it out'
    ):
        call("DeployDISyncTask", **task(file_id))
