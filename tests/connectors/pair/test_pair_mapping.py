"""Tables that get other names, other schemas, more columns, or one target together: loaded and followed."""

from __future__ import annotations

from typing import Any

import pytest
from pair import Pair

from disync.model.ddl import Policy
from disync.model.errors import BadConfig

ROWS = "INSERT INTO {} SELECT seq, concat('row ', seq) FROM seq_1_to_50"


def by_rule(name: str, action: str, expression: dict[str, Any], target: str = "Table") -> dict[str, Any]:
    return {"ruleName": name, "ruleActionType": action, "ruleTargetType": target, "ruleExpression": expression}


def mapping(tables: str, *rules: dict[str, Any]) -> dict[str, Any]:
    """A tableMappingRule that applies the rules to the tables of this regular expression."""
    named = [{key: value for key, value in rule.items() if key != "ruleExpression"} for rule in rules]
    selected = [{"objectType": "Table", "expressionType": "Regex", "expression": tables}]
    entry = {"sourceObjectSelectionRules": selected, "transformationRules": named}
    return {"tableMappings": [entry], "transformationRules": list(rules)}


def test_tables_named_one_by_one_get_their_targets(both: Pair) -> None:
    both.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"), "CREATE TABLE b LIKE a")
    both.select(f"DROP SCHEMA IF EXISTS other_{both.name} CASCADE")
    rules = [
        {"srcDbName": both.name, "srcTable": "a", "dstTable": f"other_{both.name}.renamed"},
        {"srcTable": "b", "dstTable": "b.b", "dstCreateTableInfo": {"schemaName": both.name, "tableName": "b.b"}},
    ]
    code = both.code(tableMappingRule={"datasource": [{"srcDatasourceName": "here", "tableRule": rules}]})
    with both.task(code) as running:
        running.settle()
        both.sql("INSERT INTO b SELECT * FROM a WHERE id < 10", "UPDATE a SET v = 'new' WHERE id = 7")
        both.sql("DELETE FROM a WHERE id = 8")
        running.settle()
        assert both.select('SELECT count(*), min(id) FROM "b.b"') == [(9, 1)]
        found = both.select(f"SELECT id, v FROM other_{both.name}.renamed")
        assert dict(found) == dict(both.sql("SELECT id, v FROM a")) and len(found) == 49
    both.select(f"DROP SCHEMA other_{both.name} CASCADE")


def test_a_chosen_key_is_the_key_of_the_target(pair: Pair) -> None:
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, code VARCHAR(9) NOT NULL)", "INSERT INTO a VALUES (1, 'x'), (2, 'y')")
    rules = [{"srcTable": "a", "dstTable": "a", "primaryKeyInfo": {"type": "pk", "column": ["code"]}}]
    with pair.task(pair.code("a", tableMappingRule={"datasource": [{"tableRule": rules}]})) as running:
        running.settle()
        pair.sql("UPDATE a SET id = 3 WHERE code = 'x'", "DELETE FROM a WHERE code = 'y'")
        running.settle()
        assert pair.select("SELECT id, code FROM a") == [(3, "x")]
        key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'a'::regclass AND contype = 'p'"
        assert pair.select(key) == [("PRIMARY KEY (code)",)]


def test_c86_shards_become_one_table_that_tells_them_apart(both: Pair) -> None:
    for shard in (1, 2, 3):
        both.sql(f"CREATE TABLE orders_{shard} (id INT PRIMARY KEY, v TEXT)", ROWS.format(f"orders_{shard}"))
    columns = [
        {"columnName": "shard", "columnValueType": "Variable", "columnValue": "${TABLE_NAME_SRC}"},
        {"columnName": "origin", "columnValueType": "Constant", "columnValue": "商店"},
        {"columnName": "loaded", "columnValueType": "Variable", "columnValue": "EXECUTE_TIME"},
    ]
    rule = mapping(
        "orders_.*",
        by_rule("one", "Rename", {"expression": "all_orders"}),
        by_rule("names", "AddColumn", {"columns": columns}),
        by_rule("key", "DefinePrimaryKey", {"columns": ["shard", "id"]}),
    )
    with both.task(
        both.code(tableMappingRule=rule), ddl={"ADDCOLUMN": Policy.NORMAL, "DROPTABLE": Policy.NORMAL}
    ) as running:
        running.settle()
        assert both.select("SELECT shard, count(*) FROM all_orders GROUP BY 1 ORDER BY 1") == [
            (f"orders_{shard}", 50) for shard in (1, 2, 3)
        ]
        both.sql(
            "UPDATE orders_1 SET id = id + 1000, v = 'moved' WHERE id = 7",
            "DELETE FROM orders_2 WHERE id = 7",
            "ALTER TABLE orders_3 ADD COLUMN more INT DEFAULT 5",
            "UPDATE orders_3 SET more = 6 WHERE id = 7",
        )
        running.settle()
        where = "SELECT shard, id, v, more FROM all_orders WHERE id IN (7, 1007) ORDER BY shard"
        assert both.select(where) == [("orders_1", 1007, "moved", None), ("orders_3", 7, "row 7", 6)]
        both.sql("DROP TABLE orders_1", "INSERT INTO orders_2 VALUES (7, 'back')")
        running.settle()
        assert both.select("SELECT count(*), count(DISTINCT origin), min(loaded) > 1700000000000 FROM all_orders") == [
            (150, 1, True)
        ]


def test_c90_two_tables_do_not_meet_by_mistake(pair: Pair) -> None:
    pair.sql("CREATE TABLE doc_a (id INT PRIMARY KEY)", "CREATE TABLE pre_a (id INT PRIMARY KEY)")
    variables = [{"variableName": "srcTableName", "variableRules": [{"from": "doc_", "to": "pre_"}]}]
    rule = mapping("doc_.*", by_rule("r", "Rename", {"expression": "${srcTableName}", "variables": variables}))
    with pair.task(pair.code(tableMappingRule=rule)) as running:
        error = running.fails()
        assert isinstance(error, BadConfig) and "doc_a, pre_a" in str(error)
    assert pair.select("SELECT to_regclass('pre_a') IS NULL") == [(True,)]


def test_rows_that_are_deleted_stay_and_say_so(both: Pair) -> None:
    both.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"))
    policies = [{"dmlType": "Delete", "dmlAction": "LogicalDelete"}, {"dmlType": "Update", "dmlAction": "Ignore"}]
    rule = mapping("a", by_rule("d", "HandleDml", {"dmlPolicies": policies}))
    with both.task(both.code(tableMappingRule=rule)) as running:
        running.settle()
        both.sql(
            "DELETE FROM a WHERE id = 3", "UPDATE a SET v = 'not seen' WHERE id = 4", "INSERT INTO a VALUES (60, 'new')"
        )
        running.settle()
        assert both.select("SELECT id, v FROM a WHERE _is_deleted_") == [(3, "row 3")]
        assert both.select("SELECT v FROM a WHERE id IN (4, 60) ORDER BY id") == [("row 4",), ("new",)]


def test_c77_a_default_is_not_for_the_rows_of_other_tables(pair: Pair) -> None:
    pair.sql(*(f"CREATE TABLE s_{n} (id INT PRIMARY KEY)" for n in (1, 2)))
    pair.sql("INSERT INTO s_1 VALUES (1)", "INSERT INTO s_2 VALUES (2)")
    rule = mapping("s_.*", by_rule("one", "Rename", {"expression": "merged"}))
    with pair.task(pair.code("s_1", "s_2", tableMappingRule=rule)) as running:
        running.settle()
        pair.sql("ALTER TABLE s_1 ADD COLUMN c INT DEFAULT 7", "INSERT INTO s_1 (id) VALUES (3)")
        running.settle()
        assert pair.select("SELECT id, c FROM merged ORDER BY id") == [(1, None), (2, None), (3, 7)]


def test_tables_to_come_are_selected_by_rule(pair: Pair) -> None:
    pair.sql("CREATE TABLE order_1 (id INT PRIMARY KEY)", "CREATE TABLE other (id INT PRIMARY KEY)")
    pair.sql("INSERT INTO order_1 VALUES (1)", "INSERT INTO other VALUES (1), (2)")
    rules = [
        {"objectType": "Table", "expressionType": "Regex", "expression": "order_.*"},
        {"objectType": "Table", "expressionType": "Exact", "expression": "order_9", "action": "Exclude"},
    ]
    reader = {"connection": [{"datasource": "here", "sourceObjectSelectionRules": rules}]}
    ddl = {"CREATETABLE": Policy.NORMAL}
    with pair.task(pair.code(reader=reader), ddl=ddl) as running:
        running.settle()
        pair.sql("CREATE TABLE order_2 (id INT PRIMARY KEY)", "INSERT INTO order_2 VALUES (5)")
        pair.sql("CREATE TABLE order_9 (id INT PRIMARY KEY)", "INSERT INTO order_9 VALUES (5)")
        running.settle()
        assert pair.equal("order_1") and pair.equal("order_2")
        # One that had rows before it got a name that is selected has to be loaded.
        pair.sql("RENAME TABLE other TO order_3")
        running.until(lambda: pair.equal("order_3"))
    with pair.task(pair.code(reader=reader), ddl=ddl) as running:
        running.settle()
        pair.sql("INSERT INTO order_3 VALUES (3)")
        running.settle()
        assert pair.equal("order_1") and pair.equal("order_2") and pair.equal("order_3")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_name LIKE 'o%'"
    assert sorted(pair.select(tables.format(pair.name))) == [("order_1",), ("order_2",), ("order_3",)]


@pytest.mark.parametrize("made", ["before", "after"])
def test_tables_of_several_databases_keep_apart(pair: Pair, made: str) -> None:
    """Databases by rule, each into a schema of its own."""
    other = f"{pair.name}_b"
    pair.sql(f"CREATE DATABASE {other}", "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    if made == "before":
        pair.sql(f"CREATE TABLE {other}.t (id INT PRIMARY KEY)", f"INSERT INTO {other}.t VALUES (2)")
    rules = [{"objectType": "Database", "expressionType": "Regex", "expression": f"{pair.name}(_b)?"}]
    reader = {"connection": [{"datasource": "here", "sourceObjectSelectionRules": rules}]}
    rule = mapping(".*", by_rule("s", "Rename", {"expression": "m_${srcDatabaseName}"}, "Schema"))
    try:
        with pair.task(pair.code(reader=reader, tableMappingRule=rule), ddl={"CREATETABLE": Policy.NORMAL}) as running:
            running.settle()
            if made == "after":
                pair.sql(f"CREATE TABLE {other}.t (id INT PRIMARY KEY)", f"INSERT INTO {other}.t VALUES (2)")
            pair.sql(f"UPDATE {other}.t SET id = 3", "INSERT INTO t VALUES (9)")
            running.settle()
            assert pair.select(f"SELECT id FROM m_{pair.name}.t ORDER BY id") == [(1,), (9,)]
            assert pair.select(f"SELECT id FROM m_{other}.t") == [(3,)]
    finally:
        pair.sql(f"DROP DATABASE {other}")
        for name in (pair.name, other):
            pair.select(f"DROP SCHEMA IF EXISTS m_{name} CASCADE")
