"""Values from server to server (group D): what was loaded and what the log brought are the same in the target, and what
the golden table says. Rows go both ways that the engine has, as bytes and as Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pair import Pair, made

import mysqld
from disync.connectors.postgres import merging
from disync.connectors.postgres.sink import PostgresSink
from disync.model.data import Batch
from disync.model.errors import Unreachable

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "mysql-values.json").read_text())

SHOWN = {
    "date": "v - DATE '1970-01-01'",
    "datetime": "(extract(epoch FROM v) * 1000000)::bigint",
    "timestamp": "(extract(epoch FROM v) * 1000000)::bigint",
    "float": "v::float8",
    "decimal": "v::text",
    "json": "v::text",
}
"""How a value of a kind is asked for in the target, so that it comes as the golden table writes it."""


def _of(*types: str) -> Any:
    """The golden cases of these types."""
    numbers = [n for n, case in enumerate(GOLDEN) if case["type"].split("(")[0].split()[0] in types]
    return pytest.mark.parametrize("number", numbers, ids=[GOLDEN[n]["type"] for n in numbers])


WAYS = [(None, merging.FEW_VALUES), ("pgcopy", merging.FEW_VALUES), ("pgcopy", 0)]


@pytest.fixture(scope="module", params=WAYS, ids=["arrow", "pgcopy", "pgcopy, staged"])
def moved(
    pair_source: mysqld.Server, pair_target: str, request: pytest.FixtureRequest
) -> Iterator[dict[int, tuple[list[Any], list[Any]]]]:
    """For each golden case the values that were loaded, and those that came by the log."""
    form, few = request.param
    patch = pytest.MonkeyPatch()
    patch.setattr(merging, "FEW_VALUES", few)
    for pair in made(pair_source, pair_target, form):
        for number, case in enumerate(GOLDEN):
            pair.sql(f"CREATE TABLE t{number} (id INT PRIMARY KEY, v {case['type']})")
        _insert(pair, 0, "+00:00")
        with pair.task(pair.code()) as running:
            running.settle()
            _insert(pair, 100, "-09:30")
            running.settle()
        yield {number: (_found(pair, number, "<"), _found(pair, number, ">=")) for number in range(len(GOLDEN))}
    patch.undo()


def _insert(pair: Pair, first: int, zone: str) -> None:
    """Whatever zone a session writes in, and whatever the server's is: a moment is a moment."""
    statements = []
    for number, case in enumerate(GOLDEN):
        for place, (literal, _) in enumerate(case["values"], first):
            moment = case["type"].startswith("timestamp") and literal[:1] == "'" and literal[1:5] != "0000"
            value = f"CONVERT_TZ({literal}, '+00:00', '{zone}')" if moment else literal
            statements.append(f"INSERT INTO t{number} (id, v) VALUES ({place}, {value})")
    pair.sql("SET sql_mode = 'ALLOW_INVALID_DATES'", f"SET time_zone = '{zone}'", *statements)


def _found(pair: Pair, number: int, sign: str) -> list[Any]:
    shown = SHOWN.get(GOLDEN[number]["column"][0], "v")
    return [v for (v,) in pair.select(f"SELECT {shown} FROM t{number} WHERE id {sign} 100 ORDER BY id")]


def _holds(moved: Any, number: int) -> None:
    loaded, logged = moved[number]
    kind, values = GOLDEN[number]["column"][0], [value for _, value in GOLDEN[number]["values"]]
    if kind == "bytes":
        values = [value if value is None else bytes.fromhex(value) for value in values]
    wanted = [value for value in values if not (isinstance(value, str) and "\0" in value)]
    assert loaded == wanted
    assert logged == wanted


@_of("tinyint", "smallint", "mediumint", "int", "bigint")
def test_c60_c67_integers(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("date", "datetime", "timestamp")
def test_c61_c62_c63_dates_and_moments(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("time", "year")
def test_c63_times_and_years(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("decimal", "float", "double")
def test_c65_decimals_and_floats(moved: Any, number: int) -> None:
    _holds(moved, number)


@pytest.mark.mariadb
@_of("json")
def test_c66_documents(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("bit")
def test_c67_bits(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("enum", "set")
def test_c68_members_of_enums_and_sets(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
def test_c69_bytes(moved: Any, number: int) -> None:
    _holds(moved, number)


@_of("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
def test_c69_c70_texts_of_many_sets(moved: Any, number: int) -> None:
    _holds(moved, number)


def test_every_golden_case_has_a_test() -> None:
    told = {"point", "json", "bit", "time", "year", "enum", "set", "date", "datetime", "timestamp", "float", "double"}
    told |= {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "char", "varchar", "binary", "varbinary"}
    told |= {f"{size}{kind}" for kind in ("text", "blob") for size in ("tiny", "", "medium", "long")}
    assert {case["type"].split("(")[0].split()[0] for case in GOLDEN} == told


ZEROS = "CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL, m DATETIME(3) NOT NULL, s TIMESTAMP NOT NULL DEFAULT 0)"
GOOD = "'2024-02-29', '2024-02-29 23:59:58.987', '2024-02-29 15:00:00'"


def _zero_rows(pair: Pair, first: int) -> None:
    pair.sql(
        "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'",
        f"INSERT INTO t VALUES ({first + 1}, '0000-00-00', '0000-00-00', 0)",
        f"INSERT INTO t VALUES ({first + 2}, '2024-00-10', '2024-02-31 10:00:00', '2024-02-29 15:00:00')",
        f"INSERT INTO t VALUES ({first + 3}, {GOOD}), ({first + 4}, {GOOD})",
    )


def _zero_updates(pair: Pair) -> None:
    """Good ones become zero, zeros become good."""
    pair.sql("SET sql_mode = ''", "UPDATE t SET d = '0000-00-00' WHERE id IN (4, 14)")
    pair.sql("SET time_zone = '+00:00'", f"REPLACE INTO t VALUES (1, {GOOD})", "DELETE FROM t WHERE id = 12")


FEBRUARY = ("2024-02-29", "2024-02-29 23:59:58.987", "2024-02-29 15:00:00")
OF_ZEROS: dict[str, dict[int, tuple[str | None, ...]]] = {
    "null": {
        1: FEBRUARY,
        2: (None, None, FEBRUARY[2]),
        3: FEBRUARY,
        4: (None, *FEBRUARY[1:]),
        11: (None, None, None),
        13: FEBRUARY,
        14: (None, *FEBRUARY[1:]),
    },
    "text": {
        1: FEBRUARY,
        2: ("2024-00-10", "2024-02-31 10:00:00.000", FEBRUARY[2]),
        3: FEBRUARY,
        4: ("0000-00-00", *FEBRUARY[1:]),
        11: ("0000-00-00", "0000-00-00 00:00:00.000", "0000-00-00 00:00:00"),
        13: FEBRUARY,
        14: ("0000-00-00", *FEBRUARY[1:]),
    },
    "dirty": {1: FEBRUARY, 3: FEBRUARY, 4: FEBRUARY, 13: FEBRUARY, 14: FEBRUARY},
}


@pytest.mark.parametrize("policy", ["null", "text", "dirty"])
def test_c61_dates_that_no_calendar_has(both: Pair, policy: str) -> None:
    """What was loaded (1 to 4) and what the log brought (11 to 14) come to the same, updates of either included."""
    both.sql(ZEROS)
    _zero_rows(both, 0)
    with both.task(both.code("t", reader={"zeroDate": policy})) as running:
        running.settle()
        _zero_rows(both, 10)
        running.settle()
        _zero_updates(both)
        running.settle()
    shown = "id, d::text, m::text, " + ("s" if policy == "text" else "(s AT TIME ZONE 'UTC')::text")
    found = {row[0]: row[1:] for row in both.select(f"SELECT {shown} FROM t")}
    assert found == OF_ZEROS[policy]
    dirty = [(json.loads(row.row)["id"], row.reason) for row in both.ledger.dirty]
    both.sql("DELETE FROM t WHERE id IN (4, 14)")
    with both.task(both.code("t", reader={"zeroDate": policy})) as running:
        running.settle()
    assert {row[0] for row in both.select("SELECT id FROM t")} == set(OF_ZEROS[policy]) - {4, 14}
    if policy == "dirty":
        assert sorted(number for number, _ in dirty) == [1, 2, 4, 11, 12, 14]
        assert all("column d" in reason for _, reason in dirty)
        assert both.ledger.tally.rows_dirty == 6
    else:
        assert dirty == []


def test_c61_a_crash_behind_a_row_that_cannot_be_read_loses_no_other(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told before the rows beside it are written: their place is not reached yet."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, d DATE)", "INSERT INTO t SELECT seq, '2024-02-29' FROM seq_2_to_500")
    both.sql("SET sql_mode = ''", "INSERT INTO t VALUES (1, 0)", "UPDATE t SET d = 0 WHERE id = 250")

    def fail(self: PostgresSink, batch: Batch) -> None:
        raise Unreachable("cut off")

    code = both.code("t", reader={"zeroDate": "dirty"})
    with monkeypatch.context() as patched:
        patched.setattr(PostgresSink, "write", fail)
        with both.task(code) as running:
            assert isinstance(running.fails(), Unreachable)
    with both.task(code) as running:
        running.settle()
    assert both.select("SELECT count(*), min(id), max(id) FROM t") == [(498, 2, 500)]
    assert [json.loads(row.row)["id"] for row in both.ledger.dirty] == [1, 250]
