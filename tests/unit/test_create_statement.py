"""A CREATE TABLE written by hand: one statement, and no other."""

from __future__ import annotations

import pytest

from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.statement import relation_of
from disync.model.errors import BadConfig

TAKEN = {
    "CREATE TABLE shop.orders (id int PRIMARY KEY)": Relation("shop", "orders"),
    "create table Orders (id int);": Relation("public", "orders"),
    'CREATE TABLE "a.b"."c ""d""" (id int)': Relation("a.b", 'c "d"'),
    'CREATE TABLE "a" . b (id int) ; ;': Relation("a", "b"),
    "/* a; /* b; */ */ CREATE -- c;\n TABLE t (id int -- d;\n)": Relation("public", "t"),
    "CREATE TABLE t (a text DEFAULT ';', b text DEFAULT E'\\';', c text DEFAULT $$;$$, d text DEFAULT $x$;$$;$x$)": (
        Relation("public", "t")
    ),
    "CREATE TABLE 订单 (金额 numeric(10,2) NOT NULL CHECK (金额 > 0))": Relation("public", "订单"),
    "CREATE TABLE t (a text DEFAULT E'\\'); DROP TABLE u; --')": Relation("public", "t"),  # one text
    "CREATE TABLE t (a int, at date) PARTITION BY RANGE (at)": Relation("public", "t"),
    'CREATE TABLE t (a int) WITH (fillfactor = 70) TABLESPACE "fast"': Relation("public", "t"),
    'CREATE TABLE t ("select" int, "values" text)': Relation("public", "t"),
}

REFUSED = (
    "",
    ";",
    "DROP TABLE t",
    "CREATE VIEW v (a) AS SELECT 1",
    "CREATE TABLE",
    "CREATE TABLE t",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE t (a) AS SELECT pg_sleep(1)",
    "CREATE TABLE t (a) AS VALUES (1)",
    "CREATE TABLE t (a) AS TABLE other",
    "CREATE TABLE t (a) AS EXECUTE prepared",
    "CREATE TABLE t (a) WITH (fillfactor = 70) AS SELECT 1",
    "CREATE TABLE t (a int DEFAULT (SELECT 1))",
    "CREATE TABLE t (a int); DROP TABLE u",
    "CREATE TABLE t (a int) ; CREATE TABLE u (a int)",
    "CREATE TABLE t (a int)); DROP TABLE u; --",
    "CREATE TABLE t (a int",
    "CREATE TABLE t (a int))",
    "CREATE TABLE t (a text DEFAULT 'x)",
    'CREATE TABLE "t (a int)',
    "CREATE TABLE t (a text DEFAULT '\\'); DROP TABLE u; --')",
    "CREATE TABLE t (a text DEFAULT $x$a$y$)",
    "CREATE TABLE t (a int) /* never ends",
    "CREATE TABLE t (a int) /* a /* b */",
    "CREATE TABLE IF NOT EXISTS t (a int)",
    "CREATE TEMPORARY TABLE t (a int)",
    "CREATE TABLE a.b.c (a int)",
    "CREATE TABLE t OF kind (a int)",
    "CREATE TABLE t PARTITION OF u (a) FOR VALUES IN (1)",
    "CREATE TABLE t (a int) INHERITS (u)",
    "CREATE TABLE 'shop'.t (a int)",
    "CREATE TABLE t (a int)\0",
    "CREATE TABLE t (a int) " + " " * 200_000,
    "EXPLAIN ANALYZE CREATE TABLE t (a int)",
    "WITH x AS (DELETE FROM u RETURNING *) CREATE TABLE t (a int)",
)


@pytest.mark.parametrize("ddl", TAKEN)
def test_the_table_that_a_statement_makes(ddl: str) -> None:
    assert relation_of(ddl, "public") == TAKEN[ddl]


@pytest.mark.parametrize("ddl", REFUSED)
def test_what_is_no_single_create_table_is_refused(ddl: str) -> None:
    with pytest.raises(BadConfig, match=r"This is not one CREATE TABLE statement: .* Write one statement of the form"):
        relation_of(ddl, "public")
