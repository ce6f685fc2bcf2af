"""Only rows that a condition means: loaded, followed as they come and go, compared, and mended."""

from __future__ import annotations

from typing import Any

import pytest
from pair import Pair
from test_pair_mapping import by_rule, mapping
from verifying import compared, found

from disync.engine.findings import What, Why
from disync.model.ddl import Policy
from disync.model.errors import BadConfig

MEANT = "state = 'open' AND amount >= 10"


def filters(condition: str, *kinds: str) -> list[dict[str, str]]:
    return [{"dmlType": kind, "dmlAction": "Filter", "filterCondition": condition} for kind in kinds]


def rule(policies: list[dict[str, str]], *others: dict[str, Any]) -> dict[str, Any]:
    return mapping("a", by_rule("f", "HandleDml", {"dmlPolicies": policies}), *others)


def made(pair: Pair) -> None:
    pair.sql(
        "CREATE TABLE a (id INT PRIMARY KEY, state VARCHAR(9), amount DECIMAL(9, 2), v TEXT)",
        "INSERT INTO a SELECT seq, ELT(seq % 3 + 1, 'open', 'shut', NULL), seq % 20, 'v' FROM seq_1_to_300",
    )


def as_meant(pair: Pair) -> bool:
    there = [(int(row[0]), row[1]) for row in pair.sql(f"SELECT id, v FROM a WHERE BINARY {MEANT} ORDER BY id")]
    return [(row[0], row[1]) for row in pair.select("SELECT id, v FROM a ORDER BY id")] == there and bool(there)


ALL = filters(MEANT, "Insert", "Update", "Delete")


def test_rows_come_and_go_as_they_are_meant(both: Pair) -> None:
    made(both)
    code = both.code("a", tableMappingRule=rule(ALL))
    with both.task(code) as running:
        running.settle()
        assert as_meant(both) and both.select("SELECT count(*) FROM a") == [(50,)]
        both.sql(
            "INSERT INTO a VALUES (1001, 'open', 10, 'in'), (1002, 'shut', 10, 'out'), (1003, NULL, 10, 'out')",
            "UPDATE a SET v = 'changed' WHERE amount > 15",
            "UPDATE a SET state = 'shut' WHERE id = 12",  # leaves
            "UPDATE a SET state = 'open', amount = 99 WHERE id = 1",  # enters
            "UPDATE a SET id = id + 5000, v = 'moved' WHERE id IN (15, 16)",  # one that is meant, one that is not
            "UPDATE a SET id = 7001, amount = 1 WHERE id = 18",  # leaves under another key
            "UPDATE a SET id = 7002, amount = 50 WHERE id = 3",  # enters under another key
            "DELETE FROM a WHERE id IN (33, 34, 35)",
            "UPDATE a SET amount = NULL WHERE id = 36",
            "DELETE FROM a WHERE id = 36",
        )
        both.sql("UPDATE a SET state = 'shut' WHERE id = 39", "UPDATE a SET state = 'open', v = 'back' WHERE id = 39")
        running.settle()
        assert as_meant(both)
        assert both.select("SELECT id FROM a WHERE id > 1000 ORDER BY id") == [(1001,), (5015,), (7002,)]


def test_only_what_is_meant_is_compared_and_mended(pair: Pair) -> None:
    made(pair)
    code = pair.code("a", tableMappingRule=rule(ALL))
    with pair.task(code) as running:
        running.settle()
        report = compared(pair, code)["a"]
        assert report.equal and report.rows == (50, 50) and not report.findings
        pair.select("DELETE FROM a WHERE id = 12")
        pair.select("UPDATE a SET v = 'x' WHERE id = 15")
        pair.select("INSERT INTO a VALUES (1, 'shut', 1, 'v'), (9999, 'open', 50, 'v')")
        pair.sql("UPDATE a SET state = 'shut' WHERE id = 18", "UPDATE a SET v = 'on its way' WHERE id = 30")
        report = compared(pair, code)["a"]
        assert found(report) == {
            (What.MISSING, (12,), ()),
            (What.DIFFERENT, (15,), ("v",)),
            (What.EXTRA, (1,), ()),
            (What.EXTRA, (9999,), ()),
        }


def test_without_a_filter_of_inserts_the_rest_is_as_the_rules_have_it(both: Pair) -> None:
    """Updates and deletes are filtered, inserts and the load are not, as the vendor's API has it."""
    made(both)
    code = both.code("a", tableMappingRule=rule(filters("id > 100", "Update", "Delete")))
    with both.task(code) as running:
        running.settle()
        assert both.equal("a")
        both.sql(
            "UPDATE a SET v = 'changed' WHERE id IN (7, 107)",
            "DELETE FROM a WHERE id IN (8, 108)",
            "UPDATE a SET id = 109000 WHERE id = 9",
            "UPDATE a SET id = 10 - 100 WHERE id = 110",
            "INSERT INTO a VALUES (0, NULL, NULL, 'new')",
        )
        running.settle()
        here = {7: "v", 107: "changed", 8: "v", 109000: "v", 0: "new"}
        asked = "7, 107, 8, 108, 9, 109000, 110, -90, 0"
        assert dict(both.select(f"SELECT id, v FROM a WHERE id IN ({asked})")) == here
        report = compared(both, code)["a"]
        assert report.equal and {(f.what, *f.key.values()) for f in report.findings} == {
            (What.DIFFERENT, 7),
            (What.EXTRA, 8),
            (What.MISSING, -90),
        }
        assert {f.why for f in report.findings} == {Why.RULED}
        both.select("DELETE FROM a WHERE id IN (50, 150)")
        both.select("INSERT INTO a VALUES (108, NULL, NULL, 'v')")
        assert found(compared(both, code)["a"]) == {(What.MISSING, (150,), ()), (What.EXTRA, (108,), ())}


def test_a_row_that_leaves_is_deleted_by_name_only_where_deletes_are(both: Pair) -> None:
    made(both)
    policies = [*filters(MEANT, "Insert", "Update"), {"dmlType": "Delete", "dmlAction": "LogicalDelete"}]
    code = both.code("a", tableMappingRule=rule(policies))
    with both.task(code) as running:
        running.settle()
        both.sql("UPDATE a SET amount = 1 WHERE id = 12", "DELETE FROM a WHERE id IN (15, 16)")
        running.settle()
        assert both.select("SELECT id, amount FROM a WHERE _is_deleted_ ORDER BY id") == [(12, 12), (15, 15)]
        assert compared(both, code)["a"].equal


def test_a_log_of_changes_has_those_of_rows_that_are_meant(both: Pair) -> None:
    """In a target that keeps every change as a row."""
    made(both)
    both.sql("DELETE FROM a WHERE id <> 12")
    code = both.code("a", tableMappingRule=rule(filters(MEANT, "Insert", "Update")), writeMode="insert")
    with both.task(code) as running:
        running.settle()
        both.sql(
            "UPDATE a SET state = 'shut'",
            "UPDATE a SET v = 'hidden'",
            "UPDATE a SET state = 'open', v = 'w'",
            "INSERT INTO a VALUES (1, 'shut', 1, 'secret')",
            "DELETE FROM a",
        )
        running.settle()
        assert both.select("SELECT v FROM a WHERE v IN ('hidden', 'secret')") == []
        assert both.select("SELECT _operation_type_, v FROM a ORDER BY _sequence_id_") == [
            ("I", "v"),
            ("D", "v"),
            ("I", "w"),
            ("D", "w"),
        ]


@pytest.mark.parametrize("condition", ["nothing = 1", "amount = 'x'", "state"])
def test_a_condition_that_does_not_go_with_its_table_is_named(pair: Pair, condition: str) -> None:
    made(pair)
    with pair.task(pair.code("a", tableMappingRule=rule(filters(condition, "Delete")))) as running:
        error = running.fails()
        assert isinstance(error, BadConfig) and "filterCondition" in str(error)


def test_a_column_that_is_asked_for_and_goes_stops_its_table(pair: Pair) -> None:
    made(pair)
    pair.sql("CREATE TABLE b (id INT PRIMARY KEY)")
    code = pair.code("a", "b", tableMappingRule=rule(ALL))
    with pair.task(code, ddl={"DROPCOLUMN": Policy.NORMAL}, isolates=True) as running:
        running.settle()
        pair.sql("ALTER TABLE a DROP COLUMN amount", "INSERT INTO b VALUES (1)")
        running.until(lambda: pair.equal("b") and "no column amount" in pair.ledger.failed().get("a", ""))
