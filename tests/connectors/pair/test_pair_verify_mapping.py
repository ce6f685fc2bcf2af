"""Comparing tables that a mapping has renamed, poured together, or given other keys and columns."""

from __future__ import annotations

from typing import Any

import msgspec
from pair import Pair
from test_pair_mapping import ROWS, by_rule, mapping
from verifying import compared, found

from disync.engine.findings import What, Why
from disync.engine.replay import of_source
from disync.model.kept import Kept

SHARD = {"columnName": "shard", "columnValueType": "Variable", "columnValue": "${TABLE_NAME_SRC}"}
CONSTANT = {"columnName": "env", "columnValueType": "Constant", "columnValue": "it's live"}
TIME = {"columnName": "loaded", "columnValueType": "Variable", "columnValue": "EXECUTE_TIME"}


def _shards(pair: Pair, *rules: dict[str, Any]) -> str:
    for shard in (1, 2, 3):
        pair.sql(f"CREATE TABLE orders_{shard} (id INT PRIMARY KEY, v TEXT)", ROWS.format(f"orders_{shard}"))
    return pair.code(
        tableMappingRule=mapping("orders_.*", by_rule("one", "Rename", {"expression": "all_orders"}), *rules)
    )


def test_each_shard_is_compared_with_its_own_rows(pair: Pair) -> None:
    code = _shards(
        pair,
        by_rule("names", "AddColumn", {"columns": [TIME, SHARD]}),
        by_rule("key", "DefinePrimaryKey", {"columns": ["shard", "id"]}),
    )
    with pair.task(code) as running:
        running.settle()
        reports = compared(pair, code)
        assert [(r.source, r.target, r.rows, r.equal) for r in reports.values()] == [
            (f"orders_{n}", f"{pair.name}.all_orders", (50, 50), True) for n in (1, 2, 3)
        ]
        pair.select("DELETE FROM all_orders WHERE shard = 'orders_1' AND id = 7")
        pair.select("UPDATE all_orders SET v = 'x' WHERE shard = 'orders_2' AND id = 8")
        pair.select("UPDATE all_orders SET id = 99 WHERE shard = 'orders_3' AND id = 9")
        pair.sql("UPDATE orders_2 SET v = 'on its way'")
        reports = compared(pair, code)
        assert found(reports["orders_1"]) == {(What.MISSING, (7,), ())}
        assert found(reports["orders_2"]) == set()
        assert found(reports["orders_3"]) == {(What.MISSING, (9,), ()), (What.EXTRA, (99,), ())}


def test_shards_that_nothing_tells_apart_are_not_compared(pair: Pair) -> None:
    code = _shards(pair)
    with pair.task(code) as running:
        running.settle()
    reports = compared(pair, code, running=False)
    assert all("no added column tells their rows apart" in report.trouble for report in reports.values())


def test_a_row_that_is_deleted_by_name_only_is_not_there(pair: Pair) -> None:
    policies = {"dmlPolicies": [{"dmlType": "Delete", "dmlAction": "LogicalDelete"}]}
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"))
    code = pair.code("a", tableMappingRule=mapping("a", by_rule("d", "HandleDml", policies)))
    with pair.task(code) as running:
        running.settle()
        pair.sql("DELETE FROM a WHERE id IN (1, 2)")
        running.settle()
        report = compared(pair, code)["a"]
        assert report.equal and report.rows == (48, 48)
        pair.select('UPDATE a SET "_is_deleted_" = NOT "_is_deleted_" WHERE id IN (2, 3)')
        assert found(compared(pair, code)["a"]) == {(What.EXTRA, (2,), ()), (What.MISSING, (3,), ())}
    pair.select("UPDATE a SET v = 'what was there' WHERE id = 2")
    for number in (2, 3):
        pair.ledger.kept[number] = Kept(number, 1, f"{pair.name}.a", f'{{"id": {number}}}')
    with pair.task(code) as running:
        running.settle()
        assert compared(pair, code)["a"].equal
    assert pair.select('SELECT v, "_is_deleted_" FROM a WHERE id = 2') == [("what was there", True)]


def test_what_the_rules_leave_out_is_as_asked(pair: Pair) -> None:
    policies = {"dmlPolicies": [{"dmlType": "Delete", "dmlAction": "Ignore"}]}
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"))
    code = pair.code("a", tableMappingRule=mapping("a", by_rule("d", "HandleDml", policies)))
    with pair.task(code) as running:
        running.settle()
        pair.sql("DELETE FROM a WHERE id = 1")
        running.settle()
        report = compared(pair, code)["a"]
        assert report.equal and [(f.what, f.why) for f in report.findings] == [(What.EXTRA, Why.RULED)]
        pair.select("DELETE FROM a WHERE id = 2")
        report = compared(pair, code)["a"]
        assert not report.equal and found(report) == {(What.MISSING, (2,), ())}


def test_a_chosen_key_tells_rows_apart(pair: Pair) -> None:
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, code INT NOT NULL, v TEXT)")
    pair.sql("INSERT INTO a SELECT seq, 1000 - seq, 'v' FROM seq_1_to_50")
    rules = [{"srcTable": "a", "dstTable": "b", "primaryKeyInfo": {"type": "pk", "column": ["code"]}}]
    code = pair.code("a", tableMappingRule={"datasource": [{"tableRule": rules}]})
    with pair.task(code) as running:
        running.settle()
        assert found(compared(pair, code)["a"]) == set()
        pair.select("UPDATE b SET id = -1 WHERE code = 990")
        pair.select("DELETE FROM b WHERE code = 991")
        assert found(compared(pair, code)["a"]) == {(What.DIFFERENT, (990,), ("id",)), (What.MISSING, (991,), ())}


def test_a_column_that_was_added_is_compared_with_what_it_was_to_be(pair: Pair) -> None:
    rule = by_rule("c", "AddColumn", {"columns": [{**SHARD, "columnName": "From"}, TIME, CONSTANT]})
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"))
    code = pair.code("a", tableMappingRule=mapping("a", rule))
    with pair.task(code) as running:
        running.settle()
        assert compared(pair, code)["a"].equal
        pair.select("UPDATE a SET env = 'it''s test' WHERE id = 7")
        pair.select("""UPDATE a SET "From" = 'b', v = 'x' WHERE id = 8""")
        pair.select("""INSERT INTO a (id, v, "From", loaded, env) VALUES (999, 'x', 'b', 0, 'y')""")
        report = compared(pair, code)["a"]
        assert found(report) == {
            (What.DIFFERENT, (7,), ("env",)),
            (What.DIFFERENT, (8,), ("v", "From")),
            (What.EXTRA, (999,), ()),
        }
        shown = {f.key["id"]: (f.here, f.there) for f in report.findings}
        assert shown[7] == ({"env": "it's live"}, {"env": "it's test"})
        assert shown[8] == ({"v": "row 8", "From": "a"}, {"v": "x", "From": "b"})


def test_a_chosen_key_that_is_none_is_said(pair: Pair) -> None:
    """Rows whose key is null the target has refused; of two that have one key it has one."""
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, code INT, v TEXT)")
    pair.sql(
        "INSERT INTO a SELECT seq, 1000 - seq, 'v' FROM seq_1_to_50", "UPDATE a SET code = NULL WHERE id IN (3, 4)"
    )
    rules = [{"srcTable": "a", "dstTable": "b", "primaryKeyInfo": {"type": "pk", "column": ["code"]}}]
    code = pair.code("a", tableMappingRule={"datasource": [{"tableRule": rules}]})
    with pair.task(code) as running:
        running.settle()
        report = compared(pair, code)["a"]
        assert [(f.what, f.key, f.why) for f in report.findings] == [(What.MISSING, {"code": None}, Why.REFUSED)] * 2
        pair.sql("UPDATE a SET code = 990 WHERE id = 20")
        running.settle()
        report = compared(pair, code)["a"]
        assert "Several rows of the source have one key (code 990, for example)" in report.trouble
        assert not report.equal and report.rows == (50, 47)


def _repaired(pair: Pair, code: str, table: str) -> bool:
    """Whether a run that is asked to write again what differs makes all of it equal."""
    report = compared(pair, code, running=False)[table]
    assert report.pair is not None
    name, keys = of_source(report.pair.source), [dict(found.key) for found in report.findings]
    pair.ledger.kept = {n: Kept(n, 1, name, msgspec.json.encode(key).decode()) for n, key in enumerate(keys)}
    with pair.task(code) as running:
        running.settle()
    pair.ledger.kept = {}
    return compared(pair, code, running=False)[table].equal


def test_rows_are_repaired_by_a_chosen_key(pair: Pair) -> None:
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, code INT NOT NULL, v TEXT)")
    pair.sql("INSERT INTO a SELECT seq, 1000 - seq, 'v' FROM seq_1_to_50")
    rules = [{"srcTable": "a", "dstTable": "b", "primaryKeyInfo": {"type": "pk", "column": ["code"]}}]
    code = pair.code("a", tableMappingRule={"datasource": [{"tableRule": rules}]})
    with pair.task(code) as running:
        running.settle()
    pair.select("UPDATE b SET id = -1 WHERE code = 990")
    pair.select("DELETE FROM b WHERE code = 991")
    pair.select("INSERT INTO b VALUES (99, 5, 'from nowhere')")
    assert _repaired(pair, code, "a")
    assert pair.select("SELECT count(*), sum(id), sum(code) FROM b") == [(50, 1275, 48725)]


def test_columns_that_were_added_are_repaired(pair: Pair) -> None:
    rule = by_rule("c", "AddColumn", {"columns": [{**SHARD, "columnName": "From"}, TIME, CONSTANT]})
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)", ROWS.format("a"))
    code = pair.code("a", tableMappingRule=mapping("a", rule))
    with pair.task(code) as running:
        running.settle()
    pair.select("UPDATE a SET env = 'test' WHERE id = 7")
    pair.select("""INSERT INTO a (id, v, "From", loaded, env) VALUES (999, 'x', 'b', 0, 'y')""")
    assert _repaired(pair, code, "a")
