"""Many tables in one, told apart by columns that were added: what was planted in it by hand is found shard by shard,
and mended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from own_client import OwnClient
from test_solution_life import ROWS, SEED, Shop

import mysqld
import servers
from waiting import until

SHARDS = ("orders_1", "orders_2", "orders_3")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[servers.Service]:
    with servers.disync(tmp_path, datahub=False) as found:
        yield found


def merged() -> str:
    """The seed's solution, whose orders become one table with the names of where they came from."""
    columns = [
        {"columnName": "src_db", "columnValueType": "Variable", "columnValue": "DB_NAME_SRC"},
        {"columnName": "src_table", "columnValueType": "Variable", "columnValue": "TABLE_NAME_SRC"},
        {"columnName": "handled", "columnValueType": "Variable", "columnValue": "EXECUTE_TIME"},
    ]
    expressions: dict[str, Any] = {
        "Rename": {"expression": "orders"},
        "AddColumn": {"columns": columns},
        "DefinePrimaryKey": {"columns": ["src_db", "src_table", "id"]},
    }
    named = [{"ruleName": "one", "ruleActionType": action} for action in expressions]
    selected = [{"objectType": "Table", "expressionType": "Regex", "expression": "orders_[0-9]+"}]
    root = json.loads(SEED)
    root["realtimeSyncConfig"]["content"]["steps"][1]["parameter"]["tableMappingRule"] = {
        "tableMappings": [{"sourceObjectSelectionRules": selected, "transformationRules": named}],
        "transformationRules": [
            {**rule, "ruleExpression": expression} for rule, expression in zip(named, expressions.values(), strict=True)
        ],
    }
    return json.dumps(root)


def rows(shop: Shop) -> list[Any]:
    with psycopg.connect(shop.target) as target:
        return target.execute("SELECT src_db, src_table, id, name FROM public.orders ORDER BY 1, 2, 3").fetchall()


def truth(shop: Shop) -> list[Any]:
    return [
        (shop.database, shard, *row)
        for shard in SHARDS
        for row in shop.source.run(f"SELECT id, name FROM {shop.database}.{shard} ORDER BY id")
    ]


def verified(service: servers.Service, shop: Shop, file_id: int, *words: str) -> tuple[int, Any]:
    place = ["--project-id", str(shop.workspace), "--home", str(service.home)]
    command = [sys.executable, "-m", "disync", "verify", str(file_id), *place, "--json", *words]
    environment = servers.child_environment()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def found(report: Any) -> dict[str, set[tuple[str, int]]]:
    return {
        table["source"]: {(row["what"], row["key"]["id"]) for row in table["differences"]} for table in report["tables"]
    }


@pytest.mark.timeout(180)
def test_what_is_planted_in_a_merged_table_is_found_and_mended(
    service: servers.Service, source: mysqld.Server, postgres_database: str
) -> None:
    shop = Shop(OwnClient(service), source, postgres_database, tables=0)
    for shard in SHARDS:
        shop.add(shard)
    file_id = shop.started(merged())
    shop.until(file_id, "0")
    shop.change("orders_2")
    until(lambda: rows(shop) == truth(shop))
    assert len(rows(shop)) > 2 * ROWS
    assert verified(service, shop, file_id)[0] == 0

    with psycopg.connect(postgres_database, autocommit=True) as target:
        target.execute("DELETE FROM orders WHERE src_table = 'orders_1' AND id = 7")
        target.execute(
            "UPDATE orders SET name = overlay(name placing 'o' from 1) WHERE src_table = 'orders_2' AND id = 8"
        )
        target.execute(
            "INSERT INTO orders SELECT id + 70000, name, src_db, src_table, handled FROM orders WHERE id = 9"
        )
    planted = {
        "orders_1": {("missing", 7), ("extra", 70009)},
        "orders_2": {("different", 8), ("extra", 70009)},
        "orders_3": {("extra", 70009)},
    }
    code, report = verified(service, shop, file_id)
    assert (code, found(report)) == (1, planted)
    code, report = verified(service, shop, file_id, "--repair")
    assert (code, found(report)) == (0, planted), "what was found, and is mended"
    assert rows(shop) == truth(shop)
    code, report = verified(service, shop, file_id)
    assert (code, {table["source"]: table["differences"] for table in report["tables"]}) == (
        0,
        {shard: [] for shard in SHARDS},
    )
    shop.change("orders_3")
    until(lambda: rows(shop) == truth(shop))
    shop.stopped(file_id)
