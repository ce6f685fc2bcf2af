"""A condition means the same rows to the engine, in either encoding, and to the source's server."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace

import pytest
from pair import Pair
from verifying import opened

from disync.connectors.mysql import condition
from disync.connectors.mysql.reader import MySQLReader
from disync.engine.ruling import marks
from disync.model.bound import bind
from disync.model.condition import parse
from disync.model.data import Batch, Encoded, rows_of
from disync.native import pgcopy, rows

TABLE = """
CREATE TABLE a (
  id INT PRIMARY KEY, small TINYINT, big BIGINT UNSIGNED, filled INT(5) ZEROFILL, amount DECIMAL(40, 12), f FLOAT,
  d DOUBLE, name VARCHAR(60) COLLATE utf8mb4_general_ci, latin VARCHAR(60) CHARACTER SET latin1, code CHAR(9),
  kind ENUM('one', 'Two', ''), day DATE, clock DATETIME(6), at TIMESTAMP(3) NULL, flag BIT(1), bits BIT(9), y YEAR,
  raw BLOB, big_text MEDIUMTEXT, span TIME
)
"""
VALUES = {
    "small": ["-128", "0", "1", "127"],
    "big": ["0", "7", "18446744073709551615"],
    "filled": ["0", "5", "42"],
    "amount": ["-0.000000000001", "0", "12.5", "1234567890123456789012345678.5"],
    "f": ["0.1", "-3.5", "1e30"],
    "d": ["0.1", "-2.25", "1e300"],
    "name": ["''", "'Abc'", "'abc'", "'abc '", "'Ärger'", "'a_c'", "'a|c%'", "'🙂'"],
    "latin": ["''", "'Ärger'", "'arger'", "'abc'"],
    "code": ["''", "'abc'", "'ABC'"],
    "kind": ["'one'", "'Two'", "''"],
    "day": ["'2024-01-31'", "'1969-12-31'", "'0000-00-00'", "'2024-02-00'"],
    "clock": ["'2024-01-31 12:00:00.000001'", "'1969-12-31 23:59:59'", "'0000-00-00 00:00:00'"],
    "at": ["'2024-01-31 12:00:00.5'", "'2001-01-01 00:00:00'"],
    "flag": ["b'0'", "b'1'"],
    "bits": ["b'0'", "b'101'", "b'111111111'"],
    "y": ["1999", "2024"],
    "raw": ["'x'", "''"],
    "big_text": ["'Abc'", "REPEAT('ä', 70000)"],
    "span": ["'-12:00:00'", "'12:00:00'"],
}
PIECES = [
    *("small > 0", "small = -128", "small IN (0, 1)", "big = 18446744073709551615", "big < 8", "filled = 5"),
    *("filled < amount", "amount < 0", "amount = 1234567890123456789012345678.5", "amount >= 12.50", "f = 0.1"),
    *("f = -3.5", "f > 1e29", "d = 0.1", "d <> 1E300", "d <= f", "name = 'abc'", "name = ''", "name > 'abc'"),
    *("name <= 'Z'", "name = 'abc '", "name LIKE 'a%'", "name LIKE 'a_c'", r"name LIKE 'a\_c'", r"name LIKE '%|%\%'"),
    *("name LIKE '_'", "name LIKE 'ä%'", "name LIKE ''", "name IN ('Abc', '🙂')", "latin = 'Ärger'", "latin < name"),
    *("latin LIKE 'Ä_ger'", "code = 'abc'", "code LIKE 'AB_'", "kind = 'two'", "kind = 'Two'", "kind LIKE '%o%'"),
    *("kind = ''", "day > '1970-01-01'", "day = '2024-01-31'", "day IS NULL", "clock < '1970-01-01'", "clock IS NULL"),
    *("clock = '2024-01-31 12:00:00.000001'", "at = '2024-01-31 12:00:00.5'", "at > '2024-01-31 20:00:00 +08:00'"),
    *("flag = TRUE", "flag <> 1", "bits = 5", "bits > 5", "y = 2024", "y BETWEEN 1990 AND 2000", "raw IS NULL"),
    *("big_text LIKE 'ä%'", "big_text = 'Abc'", "span IS NOT NULL", "small <> bits", "id < small", "name = code"),
]


def filled(pair: Pair, chance: random.Random) -> None:
    lines = []
    for number in range(1, 301):
        cells = [chance.choice([*values, "NULL"]) for values in VALUES.values()]
        lines.append(f"({number}, {', '.join(cells)})")
    statement = f"INSERT INTO a (id, {', '.join(VALUES)}) VALUES {', '.join(lines)}"
    pair.sql("SET sql_mode = '', time_zone = '+00:00'", TABLE, statement)


def composed(chance: random.Random, depth: int = 3) -> str:
    if depth == 0:
        return chance.choice(PIECES)
    one, other = composed(chance, depth - 1), composed(chance, depth - 1)
    return chance.choice([f"NOT ({one})", f"({one} OR {other})", f"({one} AND {other})", one])


@pytest.mark.parametrize("seed", [1])
def test_server_and_engine_mean_the_same_rows(pair: Pair, seed: int) -> None:
    chance = random.Random(seed)
    filled(pair, chance)
    texts = [*PIECES, *(composed(chance) for _ in range(200))]
    with opened(pair, pair.code("a")) as pipeline, ExitStack() as stack:
        reader = pipeline.reader
        assert isinstance(reader, MySQLReader)
        session = stack.enter_context(reader.session())
        (shape,) = reader.shapes().values()
        found = {}
        for form in (None, pgcopy.FORMAT):
            (split,) = reader.split(1)
            batches = [event for event in reader.read(replace(split, format=form), None) if isinstance(event, Batch)]
            found[form] = batches
            assert sum(batch.count for batch in batches) == 300
        several = 0
        for text in texts:
            meant = parse(text)
            asked = f"SELECT id FROM a WHERE {condition.where(meant, shape.natives)}"
            told = {int(row[0] or 0) for row in session.query(asked)}
            for batches in found.values():
                assert {key for batch in batches for key in kept(batch, text)} == told, text
            several += 0 < len(told) < 300
        assert several > len(texts) // 2
        assert bind(parse("id = 1"), shape.table.columns).places == (0,)


def kept(batch: Batch, text: str) -> list[int]:
    if isinstance(batch.rows, Encoded):
        keys = [int.from_bytes(row[0] or b"", "big") for row in rows.fields(rows.project(batch.rows.buffers[0], [0]))]
    else:
        keys = [int(row[0]) for row in rows_of(batch.rows)]
    return [key for key, mark in zip(keys, marks(batch, parse(text)), strict=True) if mark]
