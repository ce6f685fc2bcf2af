"""Every type that a server has: equal where it is equal, by checksums alone, and a flipped bit is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pair import Pair, made
from verifying import compared, digests, found

import mysqld
from disync.engine.findings import What, Why
from disync.model.compare import Digest

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "mysql-values.json").read_text())
if mysqld.MYSQL:  # its documents and points are others: test_pair_mysql
    GOLDEN = [case for case in GOLDEN if case["type"] not in ("json", "point")]
NUMBERS = range(len(GOLDEN))
IDS = [case["type"] for case in GOLDEN]
HELD = [n for n in NUMBERS if any(value is not None and "\0" not in str(value) for _, value in GOLDEN[n]["values"])]
"""Those of which the target holds more than nulls."""
READ_HERE = {"point"}
"""Types whose values are compared by us."""

FLIPS = {
    "tinyint": "v # 1::int2",
    "smallint": "v # 1::int2",
    "integer": "v # 1",
    "bigint": "v # 1",
    "decimal": "CASE WHEN v = 0 THEN 1 ELSE -v END",
    "boolean": "NOT v",
    "float": "v * 1.0000002",
    "double": "v * 1.0000000000000003",
    "string": "CASE WHEN v = '' THEN 'x' ELSE overlay(v placing chr(ascii(v) # 1) from 1) END",
    "bytes": "CASE WHEN v = '' THEN '\\x00'::bytea ELSE set_byte(v, length(v) - 1, get_byte(v, length(v) - 1) # 1) END",
    "date": "v + 1",
    "time": "overlay(v placing chr(ascii(right(v, 1)) # 1) from length(v))",
}


@pytest.fixture(scope="module")
def moved(pair_source: mysqld.Server, pair_target: str) -> Iterator[Pair]:
    """All golden values, loaded and then once more from the log."""
    for pair in made(pair_source, pair_target, "pgcopy"):
        for number, case in enumerate(GOLDEN):
            pair.sql(f"CREATE TABLE t{number} (id INT PRIMARY KEY, v {case['type']})")
        _insert(pair, 0)
        with pair.task(pair.code()) as running:
            running.settle()
            _insert(pair, 100)
            running.settle()
        yield pair


def _insert(pair: Pair, first: int) -> None:
    rows = [
        f"INSERT INTO t{number} VALUES ({place}, {literal})"
        for number, case in enumerate(GOLDEN)
        for place, (literal, _) in enumerate(case["values"], first)
    ]
    pair.sql("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'", *rows)


@pytest.fixture(scope="module")
def reports(moved: Pair) -> Any:
    return compared(moved, running=False)


@pytest.fixture(scope="module")
def sums(moved: Pair) -> dict[str, tuple[Digest, Digest]]:
    return digests(moved, moved.code())


@pytest.mark.parametrize("number", NUMBERS, ids=IDS)
def test_what_is_equal_is_found_equal(moved: Pair, reports: Any, number: int) -> None:
    report = reports[f"t{number}"]
    case = GOLDEN[number]
    refused = sum(isinstance(value, str) and "\0" in value for _, value in case["values"])
    assert found(report) == set()
    assert [f.why for f in report.findings] == [Why.REFUSED] * 2 * refused
    assert report.rows[0] == 2 * len(case["values"]) == report.rows[1] + 2 * refused
    assert report.how()["v"].startswith("values" if case["type"] in READ_HERE else "checksum")


def _param(number: int) -> Any:
    """MySQL writes the smallest floats with a digit less than tells them apart, and their values have to be asked."""
    marks = pytest.mark.mariadb if GOLDEN[number]["type"] in ("float", "double") else ()
    return pytest.param(number, id=IDS[number], marks=marks)


@pytest.mark.parametrize("number", [_param(number) for number in NUMBERS])
def test_checksums_alone_are_equal(sums: Any, number: int) -> None:
    """Rows that the target had to refuse apart: nothing of what is equal needs to be read."""
    here, there = sums[f"t{number}"]
    if not any(isinstance(value, str) and "\0" in value for _, value in GOLDEN[number]["values"]):
        assert here == there and here.rows


@pytest.fixture(scope="module", params=["a bit", "a null"])
def spoilt(
    moved: Pair, reports: Any, sums: Any, request: pytest.FixtureRequest
) -> Iterator[tuple[Any, dict[int, int]]]:
    """One row of each table is wrong: the reports, and its number by the table's."""
    del reports, sums  # they saw the tables as they were
    places = {}
    for number in HELD:
        kind, _, precision, _ = GOLDEN[number]["column"]
        flip = FLIPS.get(kind, f"v + interval '1 microsecond' * {10 ** (6 - (precision or 0))}")
        rows = moved.select(f"SELECT id FROM t{number} WHERE v IS NOT NULL AND v::text <> '0' ORDER BY id LIMIT 1")
        places[number] = rows[0][0]
        moved.select(f"CREATE TABLE s{number} AS SELECT * FROM t{number} WHERE id = {places[number]}")
        value = flip if request.param == "a bit" else "NULL"
        moved.select(f"UPDATE t{number} SET v = {value} WHERE id = {places[number]}")
    yield compared(moved, running=False), places
    for number in HELD:
        moved.select(f"UPDATE t{number} t SET v = s.v FROM s{number} s WHERE t.id = s.id")
        moved.select(f"DROP TABLE s{number}")


@pytest.mark.parametrize("number", HELD, ids=[IDS[n] for n in HELD])
def test_what_is_spoilt_is_found(spoilt: Any, number: int) -> None:
    reports, places = spoilt
    assert found(reports[f"t{number}"]) == {(What.DIFFERENT, (places[number],), ("v",))}
