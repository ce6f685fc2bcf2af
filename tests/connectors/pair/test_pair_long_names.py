"""PostgreSQL cuts names after 63 bytes: two tables that it would take for one are told apart, whenever they come."""

from __future__ import annotations

import pytest
from pair import ALL, Pair

from disync.model.errors import BadConfig

FIRST, SECOND = "n" * 63 + "a", "n" * 63 + "b"


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
        assert error.tables == {SECOND}
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
