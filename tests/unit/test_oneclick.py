"""The short form of a task, and the whole text that is made of it: held against the vendor's own samples."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from disync.connectors import find
from disync.model import oneclick
from disync.model.connector import Declared
from disync.model.data import Column, Table
from disync.model.errors import Refused
from disync.model.oneclick import Origin
from disync.model.solution import parse
from disync.model.types import Kind

GOLDEN = Path(__file__).parent.parent / "golden"
SEED = json.loads((GOLDEN / "seed-process-content.json").read_text())
FULL = json.loads((GOLDEN / "generated-solution.json").read_text())
ID = Table("m_v1", (Column("id", Kind.BIGINT, nullable=False),), ("id",))


def short(tables: Any = None, kind: str = "oneclick_to_holo", **setting: Any) -> dict[str, Any]:
    """As in the vendor's sample of TaskParam, for these tables of the database m, or with another `connection`."""
    infos = [{"table": name} for name in ["m_v1"]] if tables is None else None
    chosen = {"selectedTables": [{"dbName": "m", "schema": [{"tableInfos": infos}]}]} if infos else {"table": tables}
    connection = {"datasourceType": "mysql", "datasource": "mm", **chosen}
    target = kind.rpartition("_")[2]
    return {
        "type": "realtime",
        "version": "1.0",
        "setting": {"resourceGroup": "280749", "taskType": kind, "name": "h", **setting},
        "steps": [
            {"stepType": "mysql", "parameter": {"connection": [connection]}, "name": "Reader", "category": "reader"},
            {"stepType": target, "parameter": {"datasource": "h"}, "name": "Writer", "category": "writer"},
        ],
    }


def int8(_: Column) -> Declared:
    return Declared("int8")


def test_the_full_job_is_the_vendors_own_sample() -> None:
    made = oneclick.job(oneclick.read(short()), [Origin("m", "m_v1", ID)], int8)
    assert made == FULL
    assert parse(json.dumps(made)).name == "h"


def test_a_process_content_has_the_keys_of_the_seeds() -> None:
    made = oneclick.process(oneclick.read(short()), [Origin("m", "m_v1", ID)], int8)
    assert set(SEED) - set(made) == {"readerConcurrent"}
    assert made["offlineSyncConfig"]["nodeNameRule"] == SEED["offlineSyncConfig"]["nodeNameRule"]
    assert (made["setting"], made["srcType"], made["processRuleId"]) == (SEED["setting"], "mysql", 1007)
    assert made["realtimeSyncConfig"]["extend"] == {"mode": "migration_holo", "resourceGroup": "280749", "name": "h"}
    assert made["realtimeSyncConfig"]["content"]["steps"] == FULL["steps"]
    solution = parse(json.dumps(made))
    assert (solution.group, solution.node_group, solution.name, solution.own_flow) == ("280749", "280749", "h", True)
    scheduled = oneclick.process(oneclick.read(short(scheduleResgroupId=30003913)), [Origin("m", "m_v1", ID)], int8)
    assert scheduled["offlineSyncConfig"]["resourceGroup"] == "30003913"


def test_no_table_named_stays_every_table() -> None:
    made = oneclick.process(oneclick.read(short([])), [Origin("", "m_v1", ID)], int8)
    reader, writer = made["realtimeSyncConfig"]["content"]["steps"]
    assert reader["parameter"]["connection"][0]["table"] == []
    assert writer["parameter"]["tableMappingRule"] == {"datasource": [{"tableRule": [], "srcDatasourceName": "mm"}]}


def test_columns_are_declared_as_the_target_makes_them() -> None:
    holo = find("holo")
    assert holo is not None and holo.declared is not None
    columns = (
        Column("id", Kind.BIGINT, nullable=False),
        Column("price", Kind.DECIMAL, precision=12, scale=2, comment="€"),
        Column("name", Kind.STRING, length=40),
    )
    (rule,) = oneclick.rules([Origin("m", "t", Table("t", columns, ("id",)))], "public", holo.declared)
    assert (rule["dstTable"], rule["srcDbName"]) == ("public.t", "m")
    told = [
        (c["index"], c["name"], c["type"], c["columnSize"], c["digit"], c["comment"], c["primaryKey"])
        for c in rule["dstCreateTableInfo"]["dataColumn"]
    ]
    assert told == [
        (0, "id", "int8", 0, 0, "", True),
        (1, "price", "numeric", 12, 2, "€", False),
        (2, "name", "varchar", 40, 0, "", False),
    ]


def test_many_tables_are_named_without_their_columns() -> None:
    origins = [Origin("m", f"t{number}", ID) for number in range(5000)]
    made = oneclick.rules(origins, "public", int8)
    assert len(made) == 5000
    assert "dataColumn" not in made[0]["dstCreateTableInfo"]
    assert len(json.dumps(made)) < 4 << 20, "it must fit into the query of UpdateDISyncTask"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["setting"].pop("taskType"), r"\$\.setting\.taskType must be one of oneclick_to_holo"),
        (lambda p: p["setting"].update(taskType="oneclick_to_mars"), r"\$\.setting\.taskType"),
        (lambda p: p["steps"][1].update(stepType="odps"), r"taskType says oneclick_to_holo, and \$\.steps\[1\]"),
        (lambda p: p["steps"].pop(0), r'there is no step of the category "reader"'),
        (lambda p: p["steps"][1].update(parameter={}), r"\$\.steps\[1\]\.parameter: name the data source"),
        (lambda p: p["steps"][0].pop("stepType"), "both steps need a stepType"),
        (lambda p: p.update(setting=[]), r"\$\.setting must be an object"),
    ],
)
def test_a_short_form_that_is_wrong_names_the_place(change: Any, said: str) -> None:
    param = short()
    change(param)
    with pytest.raises(Refused, match=said):
        oneclick.read(param)


@pytest.mark.parametrize("kind", oneclick.KINDS)
def test_all_three_kinds_are_understood(kind: str) -> None:
    assert oneclick.read(short(kind=kind)).kind == kind


def update(**connection: Any) -> dict[str, Any]:
    return {"steps": [{"parameter": {"connection": [connection]}, "name": "Reader", "category": "reader"}]}


def test_an_update_names_tables_and_nothing_else() -> None:
    wanted = oneclick.tables_of(update(table=["xyx"]))
    seed = {"datasource": "mm", "datasourceType": "mysql", "table": []}
    assert oneclick.changed_tables(seed, wanted) == {"datasource": "mm", "datasourceType": "mysql", "table": ["xyx"]}
    full = FULL["steps"][0]["parameter"]["connection"][0]
    changed = oneclick.changed_tables(full, wanted)
    assert changed["selectedTables"] == [
        {"schema": [{"tableInfos": [{"enable": True, "table": "xyx", "tableName": "xyx"}]}], "dbName": "m"}
    ]
    two = {**full, "selectedTables": [{"dbName": "a"}, {"dbName": "b"}]}
    with pytest.raises(Refused, match="give selectedTables"):
        oneclick.changed_tables(two, wanted)
    for wrong in (update(), update(table="x"), {"steps": []}, {}):
        with pytest.raises(Refused):
            oneclick.tables_of(wrong)


def test_rules_follow_the_tables_and_keep_what_was_written() -> None:
    mapping = deepcopy(FULL["steps"][1]["parameter"]["tableMappingRule"])
    mapping["datasource"][0]["tableRule"][0]["dstTable"] = "m.another"
    origins = [Origin("m", "m_v1", ID), Origin("m", "xyx", ID)]
    more = oneclick.rules(origins, "", int8)
    changed = oneclick.changed_rules(mapping, origins, more)
    assert [rule["dstTable"] for rule in changed["datasource"][0]["tableRule"]] == ["m.another", "m.xyx"]
    assert changed["totalTableMapping"] == 2
    less = oneclick.changed_rules(changed, origins[1:], more[1:])
    assert [rule["srcTable"] for rule in less["datasource"][0]["tableRule"]] == ["xyx"]
    empty = {"datasource": [{"tableRule": [], "srcDatasourceName": "mm"}]}
    assert oneclick.changed_rules(empty, origins, more) == empty
