"""PostgreSQL cuts names after 63 bytes: two tables that it would take for one are told apart, whenever they come."""

from __future__ import annotations

import pytest
from pair import ALL, Pair

from disync.model.errors import BadConfig
from waiting import until

FIRST, SECOND, THIRD = "n" * 63 + "a", "n" * 63 + "b", "n" * 63 + "c"


@pytest.mark.parametrize("how", ["created", "renamed"])
def test_c90_a_table_that_comes_does_not_go_into_another(pair: Pair, how: str) -> None:
    pair.sql(
        f"CREATE TABLE {FIRST} (id INT PRIMARY KEY, v INT)",
        f"INSERT INTO {FIRST} VALUES (1, 1)",
        "CREATE TABLE other (id INT PRIMARY KEY, v INT)",
    )
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
        if how == "created":
            pair.sql(f"CREATE TABLE {SECOND} (id INT PRIMARY KEY, v INT)")
        else:
            pair.sql(f"RENAME TABLE other TO {SECOND}")
        pair.sql(f"INSERT INTO {SECOND} VALUES (1, 2)")
        error = running.fails()
        assert isinstance(error, BadConfig) and SECOND in str(error) and FIRST in str(error), error
        assert error.tables == ({SECOND} if how == "created" else {"other", SECOND})
    assert pair.select(f'SELECT * FROM "{FIRST[:63]}"') == [(1, 1)]


def test_c90_its_name_is_free_once_the_first_has_gone(pair: Pair) -> None:
    pair.sql(f"CREATE TABLE {FIRST} (id INT PRIMARY KEY, v INT)", f"INSERT INTO {FIRST} VALUES (1, 1)")
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
        pair.sql(
            f"RENAME TABLE {FIRST} TO {SECOND}",
            f"INSERT INTO {SECOND} VALUES (2, 2)",
        )
        running.settle()
        assert pair.select(f'SELECT * FROM "{FIRST[:63]}" ORDER BY id') == [(1, 1), (2, 2)]
        pair.sql(
            f"DROP TABLE {SECOND}",
            f"CREATE TABLE {FIRST} (id INT PRIMARY KEY, v INT)",
            f"INSERT INTO {FIRST} VALUES (3, 3)",
        )
        running.settle()
        assert pair.select(f'SELECT * FROM "{FIRST[:63]}"') == [(3, 3)]


def test_c90_its_name_is_free_once_the_only_table_has_gone(pair: Pair) -> None:
    pair.sql(f"CREATE TABLE {FIRST} (id INT PRIMARY KEY, v INT)", f"INSERT INTO {FIRST} VALUES (1, 1)")
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
        for name in (SECOND, THIRD):
            pair.sql(f"DROP TABLE {FIRST if name == SECOND else SECOND}")
            pair.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)", f"INSERT INTO {name} VALUES (3, 3)")
            running.settle()
            assert pair.select(f'SELECT * FROM "{FIRST[:63]}"') == [(3, 3)]


@pytest.mark.parametrize("how", ["created", "renamed"])
def test_c90_it_is_the_source_s_table_that_is_left_behind(pair: Pair, how: str) -> None:
    """Though a table of the source has the name that another one's target has."""
    pair.sql(*(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)" for name in ("a", "b", SECOND)))
    pair.sql(*(f"INSERT INTO {name} VALUES (1, 1)" for name in ("a", "b", SECOND)))
    names = {"a": FIRST, "comes": SECOND, SECOND: "apart"}
    rules = [{"srcDbName": pair.name, "srcTable": source, "dstTable": target} for source, target in names.items()]
    code = pair.code(tableMappingRule={"datasource": [{"srcDatasourceName": "here", "tableRule": rules}]})
    with pair.task(code, ddl=ALL, isolates=True) as running:
        running.settle()
        pair.sql("CREATE TABLE comes LIKE a" if how == "created" else "RENAME TABLE b TO comes")
        pair.sql(*(f"INSERT INTO {name} VALUES ({id}, 0)" for id, name in enumerate(("comes", SECOND, "a"), 2)))
        until(lambda: pair.select("SELECT id FROM apart ORDER BY id") == [(1,), (3,)])
        until(lambda: pair.select(f'SELECT id FROM "{FIRST[:63]}" ORDER BY id') == [(1,), (4,)])
    reasons = pair.ledger.failed()
    assert reasons.keys() == ({"comes"} if how == "created" else {"b", "comes"})
    assert "the target of a." in reasons["comes"]
