"""Which tables are meant and what they become, by the rules of a task's text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from disync.engine.transform import targets
from disync.model.data import Column, Table
from disync.model.errors import BadConfig
from disync.model.naming import Source, naming
from disync.model.selection import Selected, SelectionRule
from disync.model.table_mapping import Route, TableMappings, read
from disync.model.types import Kind

COLUMNS = (Column("id", Kind.BIGINT), Column("v", Kind.STRING))


def table(name: str, database: str = "shop") -> Table:
    return Table(name, COLUMNS, ("id",), (database, name))


def rule(**members: Any) -> SelectionRule:
    return msgspec.convert(members, SelectionRule)


def route(rule: dict[str, Any], of: Table) -> Route:
    return TableMappings(read({"tableMappingRule": rule}), "mm", "holo").route(of)


@pytest.mark.parametrize(
    ("rules", "meant", "not_meant"),
    [
        ([], ["a.b"], []),
        ([rule(expression="b")], ["a.b", "x.b"], ["a.bb", "a.c"]),
        ([rule(expression="b.*", expressionType="Regex")], ["a.b", "a.bcd"], ["a.ab"]),
        ([rule(expression="b|c", expressionType="Regex")], ["a.b", "a.c"], ["a.bc"]),
        ([rule(expression="a.*", expressionType="Regex", objectType="Database")], ["a.b", "abc.c"], ["b.a"]),
        (
            [rule(expression="a", objectType="Database"), rule(expression="b", action="Exclude")],
            ["a.a"],
            ["a.b", "b.a"],
        ),
    ],
)
def test_rules_select_whole_names(rules: list[SelectionRule], meant: list[str], not_meant: list[str]) -> None:
    selected = Selected(tuple(rules))
    for names, expected in ((meant, True), (not_meant, False)):
        for name in names:
            assert selected.table(*name.rpartition(".")[::2]) is expected, name


def test_a_rule_that_is_no_expression_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="regular expression"):
        rule(expression="(", expressionType="Regex")


@pytest.mark.parametrize(
    ("expression", "rules", "name"),
    [
        ("my_table", [], "my_table"),
        ("pre_${db_table_name_src_transed}_post", [("doc_", "x_")], "pre_x_a_doc_post"),
        ("${srcDatasourceName}_${db_name_src_transed}_${srcTableName}", [], "mm_shop_doc_a_doc"),
        ("${srcTableName}", [("(doc)_(.*)", "$2_$1")], "a_doc_doc"),
        ("${srcDatasoureName}", [], "mm"),
    ],
)
def test_names_are_made(expression: str, rules: list[tuple[str, str]], name: str) -> None:
    changed = [{"from": old, "to": new} for old, new in rules]
    variables = [{"variableName": v, "variableRules": changed} for v in ("srcTableName", "db_table_name_src_transed")]
    found = naming({"expression": expression, "variables": variables}).of(Source("mm", "shop", "doc_a_doc"))
    assert found == name


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"tableMappings": 5}, "tableMappings"),
        ({"tableMappings": [{"transformationRules": [{"ruleName": "a", "ruleActionType": "Rename"}]}]}, "named a"),
        ({"datasource": [{"tableRule": [{"srcTable": 1}]}]}, r"datasource\[0\].tableRule\[0\].srcTable"),
    ],
)
def test_a_mapping_that_is_none_names_the_place(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        read({"tableMappingRule": rule})


@pytest.mark.parametrize(
    ("action", "expression", "message"),
    [
        ("Rename", {"expression": "${nothing}"}, "no variable nothing"),
        ("Rename", {"expression": ""}, "empty"),
        ("Rename", "{", "Rename rule r"),
        ("AddColumn", {"columns": [{"columnName": "x", "columnValueType": "Other", "columnValue": ""}]}, "Other"),
        ("HandleDml", {"dmlPolicies": [{"dmlType": "Insert", "dmlAction": "LogicalDelete"}]}, "only dmlType Delete"),
        ("HandleDml", {"dmlPolicies": [{"dmlType": "Delete", "dmlAction": "Filter"}]}, "needs a filterCondition"),
    ],
)
def test_a_rule_that_is_none_is_named(action: str, expression: Any, message: str) -> None:
    named = {"ruleName": "r", "ruleActionType": action}
    rule = {
        "tableMappings": [{"transformationRules": [named]}],
        "transformationRules": [named | {"ruleExpression": expression}],
    }
    with pytest.raises(BadConfig, match=message):
        read({"tableMappingRule": rule})


def test_a_table_without_a_rule_keeps_its_name() -> None:
    assert route({}, table("a")).target == Table("a", COLUMNS, ("id",))


@pytest.mark.parametrize(
    ("entry", "path", "keys"),
    [
        ({"dstTable": "m.m_v1"}, ("m", "m_v1"), ("id",)),
        ({"dstTable": "m_v1"}, ("", "m_v1"), ("id",)),
        ({"dstTable": "m.x", "dstCreateTableInfo": {"schemaName": "m", "tableName": "x"}}, ("m", "x"), ("id",)),
        ({"dstTable": "m.a.b", "dstCreateTableInfo": {"schemaName": "m", "tableName": "a.b"}}, ("m", "a.b"), ("id",)),
        ({"primaryKeyInfo": {"type": "pk", "column": ["v", "id"]}}, ("", "a"), ("v", "id")),
    ],
)
def test_a_table_rule_names_the_target(entry: dict[str, Any], path: tuple[str, str], keys: tuple[str, ...]) -> None:
    rules = [{"srcTable": "a", "dstTable": "other", "srcDbName": "elsewhere"}, {"srcTable": "a", **entry}]
    found = route({"datasource": [{"srcDatasourceName": "mm", "tableRule": rules}]}, table("a")).target
    assert (found.path, found.keys) == (path, keys)


def test_the_rules_of_another_data_source_do_not_count() -> None:
    rules = [{"srcTable": "a", "dstTable": "m.b"}]
    assert route({"datasource": [{"srcDatasourceName": "other", "tableRule": rules}]}, table("a")).target.path == ()


def test_a_key_of_columns_that_are_not_there_is_refused() -> None:
    rules = [{"srcTable": "a", "primaryKeyInfo": {"column": ["nothing"]}}]
    with pytest.raises(BadConfig, match="nothing"):
        route({"datasource": [{"tableRule": rules}]}, table("a"))


def test_two_rules_for_one_target_are_a_mistake() -> None:
    rules = [{"srcTable": name, "dstTable": "m.one"} for name in "ab"]
    mappings = TableMappings(read({"tableMappingRule": {"datasource": [{"tableRule": rules}]}}), "mm", "holo")
    with pytest.raises(BadConfig, match=r"m.one: a, b"):
        mappings.routes([table("a"), table("b")])


def test_a_target_of_several_tables_has_the_columns_of_them_all() -> None:
    """One that some of them have not may be null there."""
    must = Column("must", Kind.STRING, nullable=False, length=9)
    one = Table("all", (COLUMNS[0], must), ("id",), ("", "all"))
    other = Table("all", (COLUMNS[0], Column("MORE", Kind.BIGINT, nullable=False)), ("id",), ("", "all"))
    (joined,) = targets([Route(one, one, merged=True), Route(other, other, merged=True)])
    assert [(column.name, column.nullable) for column in joined.columns] == [
        ("id", True),
        ("must", True),
        ("MORE", True),
    ]
    clash = Table("all", (COLUMNS[0], Column("must", Kind.BIGINT)), ("id",), ("", "all"))
    with pytest.raises(BadConfig, match="differ in column must: string and bigint"):
        targets([Route(one, one), Route(clash, clash)])
