"""Which rows a condition means, and what of it is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from disync.model.bound import bind
from disync.model.condition import parse
from disync.model.data import Column
from disync.model.dml import DmlPolicy, handling
from disync.model.types import Kind

COLUMNS = (
    Column("id", Kind.BIGINT),
    Column("Amount", Kind.DECIMAL),
    Column("rate", Kind.DOUBLE),
    Column("name", Kind.STRING),
    Column("day", Kind.DATE),
    Column("at", Kind.TIMESTAMP),
    Column("yes", Kind.BOOLEAN),
    Column("raw", Kind.BYTES),
    Column("order", Kind.INTEGER),
)
ROW = (7, "12.50", 0.1, "Ärger_1 ", 19723, 1_704_067_200_500_000, True, b"x", None)
NAMES = [column.name for column in COLUMNS]


def answer(text: str, **values: Any) -> bool | None:
    bound = bind(parse(text), COLUMNS)
    row = [values.get(name, value) for name, value in zip(NAMES, ROW, strict=True)]
    return bound.test([row[place] for place in bound.places])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("id = 7", True),
        ("id > 1", True),
        ("7.0 = id AND id <> 8 and not id != 7", True),
        ("id = 1 OR id = 2 OR `id` IN (5, 6, 7)", True),
        ("id NOT IN (5, 6, 7)", False),
        ("id BETWEEN -1 AND 7 AND id NOT BETWEEN 8 AND 9", True),
        ("amount = 12.5", True),
        ("AMOUNT > 12.499999999999999999999999999999999999", True),
        ("id = -7", False),
        ("rate = 0.1", True),
        ("rate >= 1e-1 AND rate < 1E0", True),
        ("name = 'Ärger_1 '", True),
        ("name = 'Ärger_1'", False),
        ("name = 'ärger_1 '", False),
        ("name LIKE 'Ä%'", True),
        (r"name LIKE '%\_1_'", True),
        (r"name LIKE '%\%%'", False),
        ("name LIKE '_rger%' AND name NOT LIKE 'rger%'", True),
        ("name = 'it''s'", False),
        ("day = '2024-01-01'", True),
        ("day < '2024-01-01'", False),
        ("at = '2024-01-01 00:00:00.5'", True),
        ("at = '2024-01-01 08:00:00.5 +08:00'", True),
        ("at > '2024-01-01'", True),
        ("yes", None),
        ("yes = TRUE", True),
        ("yes <> 1", False),
        ("raw IS NOT NULL", True),
        ("`order` IS NULL", True),
        ("`order` = 1", "unknown"),
        ("NOT `order` = 1", "unknown"),
        ("`order` = 1 OR id = 7", True),
        ("`order` = 1 AND id = 7", "unknown"),
        ("`order` = 1 AND id = 8", False),
        ("`order` NOT IN (1, 2)", "unknown"),
        ("NOT (NOT (id = 7))", True),
        ("id = `order`", "unknown"),
    ],
)
def test_a_condition_means_rows(text: str, meant: bool | str | None) -> None:
    if meant is None:
        with pytest.raises(ValueError, match="a comparison should stand there"):
            parse(text)
    else:
        assert answer(text) is (None if meant == "unknown" else meant)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the end"),
        ("id =", "a column or a value"),
        ("id = 1 id", "'id' at character 8"),
        ("length(name) > 5", r"functions are not served: length"),
        ("id % 2 = 0", "'% 2 = 0' at character 4"),
        ("id + 1 = 2", r"'\+' at character 4"),
        ('name = "x"', "character 8"),
        ("name = 'x", "character 8"),
        (r"name = 'a\n'", "backslash"),
        (r"name LIKE 'a\n'", "backslash before"),
        ("id = NULL", "write IS NULL"),
        ("id IN (1, NULL)", "write IS NULL"),
        ("id IN (SELECT 1)", "a column or a value|should stand"),
        ("1 IS NULL", "columns alone"),
        ("id = 1; DROP TABLE t", "';"),
        ("id = " + "9" * 61, "more than 60 digits"),
        ("(" * 60 + "id = 1" + ")" * 60, "more than 50"),
        ("id = 1 -- no", "character 8"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing = 1", "no column nothing"),
        ("1 = 1", "no column"),
        ("id = 'x'", "x is compared with a number, and is none"),
        ("name = 5", "5 is compared with a text"),
        ("rate = amount", "they are not compared"),
        ("raw = 'x'", "only IS NULL"),
        ("id LIKE 'x'", "asked of texts alone"),
        ("day = '2024-02-30'", "no calendar"),
        ("day = '2024-02-28 00:00:00'", "compared with a day"),
        ("yes > 0", "only = and <>"),
        ("yes = 2", "2 is compared with a boolean"),
    ],
)
def test_what_does_not_go_with_a_table_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bind(parse(text), COLUMNS)


def policy(kind: str, condition: str = "", action: str = "Filter") -> DmlPolicy:
    return DmlPolicy(kind, action, condition)  # type: ignore[arg-type]


def test_inserts_are_filtered_with_updates_or_not_at_all() -> None:
    dml = handling([policy("Insert", "id > 1"), policy("Update", "id>1"), policy("Delete", "id > 1")])
    assert dml is not None and dml.rows is not None and (dml.updates, dml.deletes) == (None, None)
    for others in ([], [policy("Update", "id > 2")], [policy("Update", action="Ignore")]):
        with pytest.raises(ValueError, match="same filterCondition"):
            handling([policy("Insert", "id > 1"), *others])
    with pytest.raises(ValueError, match="dmlType Delete needs a filterCondition"):
        handling([policy("Delete")])
    with pytest.raises(ValueError, match="filterCondition of dmlType Update: functions"):
        handling([policy("Update", "lower(a) = 'b'")])
    assert handling([policy("Delete", "id > 1"), policy("Delete", action="Normal")]) is None
