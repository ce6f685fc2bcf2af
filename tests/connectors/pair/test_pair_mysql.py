"""What only MySQL has, from end to end: documents, points on the globe and vectors, as PostgreSQL gets them."""

from __future__ import annotations

import json

import pytest
from pair import Pair
from verifying import compared

pytestmark = pytest.mark.mysql

DOCUMENTS = [
    *["null", "true", "[]", '{"b": [1, 18446744073709551615, null], "a": 1.10}', '"\\\\u4e2d \\\\ud83d\\\\ude00"'],
    *["[" * 99 + "]" * 99, json.dumps({f"key {number}": "v" * number for number in range(400)})],
]
"""As literals of SQL have them."""


def test_c66_documents_and_two_sorts_of_null(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, v JSON)")

    def fill(first: int) -> None:
        rows = [f"({number}, '{document}')" for number, document in enumerate(DOCUMENTS, first)]
        both.sql(f"INSERT INTO t VALUES {', '.join(rows)}, ({first + 50}, NULL)")
        both.sql(f"INSERT INTO t VALUES ({first + 51}, JSON_ARRAY(CAST('2024-02-29' AS DATE), 1.50, x'00ff'))")

    fill(0)
    with both.task(both.code("t")) as running:
        running.settle()
        fill(100)
        both.sql("UPDATE t SET v = JSON_SET(v, '$.a', 'new') WHERE id = 103")
        running.settle()
        here = [(number, text) for number, text in both.sql("SELECT id, CAST(v AS CHAR) FROM t ORDER BY id")]
        assert both.select("SELECT id, v::text FROM t ORDER BY id") == here
    assert all(report.equal for report in compared(both, running=False).values())


def test_c76_points_on_the_globe_and_vectors(both: Pair) -> None:
    """MySQL keeps the longitude first, whatever the standard's order of the axes is."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, p POINT SRID 4326 NOT NULL, v VECTOR(3))")
    insert = "INSERT INTO t VALUES ({}, ST_GeomFromText('POINT(1 2)', 4326), TO_VECTOR('[1,-2,0.5]'))".format
    both.sql(insert(1))
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql(insert(2))
        running.settle()
    kept = bytes.fromhex("e6100000 0101000000 0000000000000040 000000000000f03f".replace(" ", ""))
    vector = bytes.fromhex("0000803f 000000c0 0000003f".replace(" ", ""))
    assert both.select("SELECT p, v FROM t ORDER BY id") == [(kept, vector)] * 2
    assert all(report.equal for report in compared(both, running=False).values())
