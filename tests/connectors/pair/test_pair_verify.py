"""Source against target: whatever the keys, planted differences are found, all of them and nothing else."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import pytest
from busy import ROWS, Busy
from pair import Pair
from verifying import compared, digests, found

from disync.connectors.mysql.inspection import MySQLInspection
from disync.connectors.postgres import digest
from disync.engine import verify
from disync.engine.findings import What, Why
from disync.model.errors import BadConfig


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges and lists of a size that a test can fill many of."""
    monkeypatch.setattr(verify, "RANGE_ROWS", 100)
    monkeypatch.setattr(verify, "LISTED_ROWS", 150)
    monkeypatch.setattr(verify, "FEW_ROWS", 20)
    monkeypatch.setattr(verify, "LOOSE_ROWS", 50)
    monkeypatch.setattr(verify, "JUDGED_ROWS", 7)


KEYS: dict[str, tuple[str, str, str]] = {
    "a number": ("id INT", "id", "seq * 3"),
    "a sparse number below zero": (
        "id BIGINT",
        "id",
        "CAST(seq AS SIGNED) * 9007199254740993 - 500 * 9007199254740993",
    ),
    "unsigned, beyond 2^63": ("id BIGINT UNSIGNED", "id", "18446744073709551615 - seq"),
    "a decimal": ("id DECIMAL(20,5)", "id", "CAST(seq AS SIGNED) / 7 - 70"),
    "a moment": ("id DATETIME(3)", "id", "'2024-02-28 23:59:59.998' + INTERVAL seq * 1000 MICROSECOND"),
    "a moment in a zone": ("id TIMESTAMP(6)", "id", "'2024-02-28 23:59:59.999998' + INTERVAL seq MICROSECOND"),
    "a day": ("id DATE", "id", "'1900-01-01' + INTERVAL seq DAY"),
    "bytes": ("id VARBINARY(8)", "id", "UNHEX(LPAD(HEX(seq * 77), 2 * CEIL(LENGTH(HEX(seq * 77)) / 2), '0'))"),
    "fixed bytes": ("id BINARY(16)", "id", "UNHEX(MD5(seq))"),
    "text without case": (
        "id VARCHAR(40) COLLATE utf8mb4_general_ci",
        "id",
        "CONCAT(CHAR(64 + seq % 60), '-', seq, 'é')",
    ),
    "text with case": ("id VARCHAR(40) COLLATE utf8mb4_bin", "id", "CONCAT(CHAR(64 + seq % 60), '-', seq)"),
    "text of another set": ("id VARCHAR(40) CHARACTER SET gbk", "id", "CONCAT('中', seq, '文')"),
    "a time": ("id TIME(1)", "id", "SEC_TO_TIME(seq * 7.5 - 2000)"),
    "a double": ("id DOUBLE", "id", "seq / 7"),
    "bits": ("id BIT(20)", "id", "seq * 5"),
    "a number, then a text": ("a SMALLINT, b VARCHAR(20)", "a, b", "seq DIV 400, CONCAT('K', seq)"),
    "a text, then a number": ("b VARCHAR(20), a INT", "b, a", "CONCAT('k', seq % 7), seq"),
    "three columns in another order": (
        "a INT, b BIGINT UNSIGNED, c DECIMAL(9,2)",
        "c, a, b",
        "seq % 3, 18446744073709551615 - seq % 50, seq DIV 150 + 0.25",
    ),
    "one member for many rows": ("e ENUM('x','y'), n INT", "e, n", "1 + seq % 2, seq"),
}


def _made(pair: Pair, columns: str, keys: str, values: str) -> None:
    pair.sql(
        "SET time_zone = '+00:00'",
        f"CREATE TABLE t ({columns}, v VARCHAR(30), w TEXT, PRIMARY KEY ({keys}))",
        f"INSERT INTO t SELECT {values}, CONCAT('v', seq), NULL FROM seq_1_to_1000",
    )
    with pair.task(pair.code("t")) as running:
        running.settle()


@pytest.mark.parametrize("key", KEYS, ids=[name.replace(" ", "_") for name in KEYS])
def test_any_key(pair: Pair, small: None, key: str) -> None:
    columns, keys, values = KEYS[key]
    _made(pair, columns, keys, values)
    equal = compared(pair, running=False)["t"]
    assert found(equal) == set() and equal.rows == (1000, 1000) and equal.unsettled == []
    # The first, the last and three in the middle are gone, or come from nowhere, or have other values.
    pair.select("ALTER TABLE t ADD COLUMN nr int")
    numbered = "SELECT ctid, row_number() OVER (ORDER BY substr(v, 2)::int) AS r FROM t"
    pair.select(f"UPDATE t SET nr = r FROM ({numbered}) x WHERE t.ctid = x.ctid")
    pair.select("CREATE TABLE gone AS SELECT * FROM t WHERE nr IN (1, 333, 500, 1000)")
    pair.select("DELETE FROM t WHERE nr IN (1, 333, 500, 1000)")
    pair.select("UPDATE t SET v = 'V', w = '' WHERE nr IN (2, 444, 999)")
    pair.sql("DELETE FROM t WHERE v IN ('v3', 'v600', 'v998')", sql_log_bin=0)
    report = compared(pair, running=False)["t"]
    assert report.rows == (997, 996)
    assert sorted((what, columns) for what, _, columns in found(report)) == sorted(
        [(What.MISSING, ())] * 4 + [(What.EXTRA, ())] * 3 + [(What.DIFFERENT, ("v", "w"))] * 3
    )
    names = ", ".join(keys.split(", "))
    for what, table, where in ((What.MISSING, "gone", "true"), (What.DIFFERENT, "t", "v = 'V'")):
        count = len(pair.select(f"SELECT {names} FROM {table} WHERE {where}"))
        assert len({k for w, k, _ in found(report) if w is what}) == count


def test_many_rows_only_in_the_target_beyond_all_others(pair: Pair, small: None) -> None:
    """The last range has no end: more rows than a list takes lie in it."""
    _made(pair, "id INT", "id", "seq")
    pair.select("INSERT INTO t SELECT n, 'extra' FROM generate_series(-400, 0) n")
    pair.select("INSERT INTO t SELECT n, 'extra' FROM generate_series(1001, 1700) n")
    report = compared(pair, running=False)["t"]
    assert found(report) == {(What.EXTRA, (n,), ()) for n in [*range(-400, 1), *range(1001, 1701)]}
    assert report.rows == (1000, 2101)


def test_an_empty_source_and_an_empty_target(pair: Pair, small: None) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE u (id VARCHAR(9) PRIMARY KEY)")
    with pair.task(pair.code()) as running:
        running.settle()
    assert all(report.equal and report.rows == (0, 0) for report in compared(pair, running=False).values())
    pair.select("INSERT INTO t VALUES (1)")
    pair.sql("INSERT INTO u VALUES ('a')", sql_log_bin=0)
    reports = compared(pair, running=False)
    assert found(reports["t"]) == {(What.EXTRA, (1,), ())}
    assert found(reports["u"]) == {(What.MISSING, ("a",), ())}


def test_letter_case_and_spaces_in_keys_count(pair: Pair, small: None) -> None:
    """The source takes these for equal, the target does not."""
    pair.sql("CREATE TABLE t (id VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY)", "INSERT INTO t VALUES ('abc')")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("UPDATE t SET id = 'ABC'")
    pair.select("INSERT INTO t VALUES ('abc ')")
    assert found(compared(pair, running=False)["t"]) == {
        (What.MISSING, ("abc",), ()),
        (What.EXTRA, ("ABC",), ()),
        (What.EXTRA, ("abc ",), ()),
    }


def test_values_that_look_alike_when_they_are_put_together(pair: Pair) -> None:
    pair.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), b VARCHAR(20))",
        "INSERT INTO t VALUES (1, 'x|', 'y'), (2, NULL, ''), (3, '~', NULL), (4, '1:a', ''), (5, '', '')",
    )
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("UPDATE t SET a = 'x', b = '|y' WHERE id = 1")
    pair.select("UPDATE t SET a = '', b = NULL WHERE id = 2")
    pair.select("UPDATE t SET a = NULL, b = '~' WHERE id = 3")
    pair.select("UPDATE t SET a = '', b = '1:a' WHERE id = 4")
    report = compared(pair, running=False)["t"]
    assert found(report) == {(What.DIFFERENT, (n,), ("a", "b")) for n in (1, 2, 3, 4)}


def test_a_table_without_a_key_is_compared_as_a_whole(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (a INT, b TEXT)", "INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, NULL)")
    with pair.task(pair.code()) as running:
        running.settle()
    report = compared(pair, running=False)["t"]
    assert (report.whole, report.rows, report.equal) == (True, (3, 3), True)
    assert report.method is not None and report.method.keys == ()
    pair.select("UPDATE t SET b = 'X' WHERE ctid = (SELECT min(ctid) FROM t)")
    report = compared(pair, running=False)["t"]
    assert (report.whole, report.rows, report.equal) == (False, (3, 3), False)


def test_what_cannot_be_compared_without_a_key_is_said(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (a INT, g POINT)", "INSERT INTO t VALUES (1, POINT(1, 1)), (1, POINT(2, 1))")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("UPDATE t SET g = set_byte(g, 9, 1)")
    report = compared(pair, running=False)["t"]
    assert not report.equal and "there is no key to ask by: g." in report.trouble


def test_a_row_that_is_there_twice(pair: Pair) -> None:
    _made(pair, "id INT", "id", "seq")
    pair.select("ALTER TABLE t DROP CONSTRAINT t_pkey")
    pair.select("INSERT INTO t SELECT * FROM t WHERE id = 7")
    pair.select("UPDATE t SET v = 'x' WHERE id = 9")
    report = compared(pair, running=False)["t"]
    assert "Several rows of the target have one key (id 7, for example)" in report.trouble and not report.equal
    assert [(f.what, f.key) for f in report.findings] == [(What.DIFFERENT, {"id": 9})]


def test_columns_that_only_one_side_has(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t VALUES (1, 2, 3)")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("ALTER TABLE t DROP COLUMN b, ADD COLUMN c int DEFAULT 5")
    report = compared(pair, running=False)["t"]
    assert report.equal and report.left_out == ("b",)
    pair.select("UPDATE t SET a = 0")
    assert found(compared(pair, running=False)["t"]) == {(What.DIFFERENT, (1,), ("a",))}


OTHERS = {
    "n INT": ("n text", "-seq", "'-13'"),
    "d DECIMAL(9,2)": ("d numeric", "seq / 4", "3.001"),
    "s VARCHAR(9)": ("s bpchar(12)", "CONCAT('s', seq)", "'S13'"),
    "c TIME(2)": ("c time", "'12:30:00.50'", "'12:30:00.51'"),
    "b BIT(1)": ("b int2", "seq % 2", "5"),
    "f FLOAT": ("f float8", "seq / 3", "f + 1e-6"),
    "u BIGINT UNSIGNED": ("u text", "18446744073709551615", "'18446744073709551614'"),
    "x TIME(6)": ("x interval", "'-100:00:00.5'", "'-100 hours'"),
    "p VARCHAR(9)": ("p text", "'p '", "'p'"),
}
"""A column of the source, one of the target that holds the same in another way, what is in it, and what is wrong."""


def test_targets_of_other_types(pair: Pair, small: None) -> None:
    pair.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(OTHERS)})")
    pair.select(f"CREATE TABLE t (id numeric(20,3) PRIMARY KEY, {', '.join(other for other, _, _ in OTHERS.values())})")
    pair.sql(f"INSERT INTO t SELECT seq, {', '.join(value for _, value, _ in OTHERS.values())} FROM seq_1_to_300")
    pair.sql("INSERT INTO t (id, d) VALUES (0, 10), (301, 0.00)")
    with pair.task(pair.code()) as running:
        running.settle()
    assert pair.ledger.dirty == []
    report = compared(pair, running=False)["t"]
    assert found(report) == set() and report.rows == (302, 302)
    for place, (_, _, wrong) in zip(OTHERS, OTHERS.values(), strict=True):
        number = 10 + list(OTHERS).index(place)
        pair.select(f"UPDATE t SET {place[0]} = {wrong} WHERE id = {number}")
    report = compared(pair, running=False)["t"]
    assert found(report) == {(What.DIFFERENT, (10 + number,), (name[0],)) for number, name in enumerate(OTHERS)}


def test_shapes_are_read_and_compared_here(pair: Pair, small: None) -> None:
    pair.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, g POINT)",
        "CREATE TABLE u (id VARCHAR(9) PRIMARY KEY, g POINT)",
        "INSERT INTO t SELECT seq, POINT(seq, 1) FROM seq_1_to_300",
        "INSERT INTO u SELECT seq, POINT(seq, 1) FROM seq_1_to_300",
    )
    with pair.task(pair.code()) as running:
        running.settle()
    assert all(found(report) == set() for report in compared(pair, running=False).values())
    for table in "tu":
        pair.select(f"UPDATE {table} SET g = set_byte(g, 9, get_byte(g, 9) # 1) WHERE id::text = '77'")
    reports = compared(pair, running=False)
    assert found(reports["t"]) == {(What.DIFFERENT, (77,), ("g",))}
    assert found(reports["u"]) == {(What.DIFFERENT, ("77",), ("g",))}
    assert reports["t"].how()["g"] == "values, here"


def test_a_bit_of_a_float_where_the_database_writes_few_digits(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, d DOUBLE)", "INSERT INTO t VALUES (1, 0.1), (2, 0.5)")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("UPDATE t SET d = 0.10000000000000002 WHERE id = 1")
    database = pair.plain.info.dbname
    pair.select(f"ALTER DATABASE {database} SET extra_float_digits = 0")
    try:
        assert found(compared(pair, running=False)["t"]) == {(What.DIFFERENT, (1,), ("d",))}
    finally:
        pair.select(f"ALTER DATABASE {database} RESET extra_float_digits")


def test_numbers_that_are_read_and_that_python_hashes_alike(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "SHORTEST_FLOATS", 1_000_000)  # as an older server
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, d DOUBLE)", "INSERT INTO t VALUES (1, -1), (2, -0.0), (3, 1e300)")
    with pair.task(pair.code()) as running:
        running.settle()
    assert compared(pair, running=False)["t"].how()["d"] == "values, here"
    assert compared(pair, running=False)["t"].equal
    pair.select("UPDATE t SET d = -2 WHERE id = 1")
    assert found(compared(pair, running=False)["t"]) == {(What.DIFFERENT, (1,), ("d",))}


def test_more_columns_than_a_function_takes(pair: Pair) -> None:
    columns = ", ".join(f"c{n} INT" for n in range(300))
    pair.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", "INSERT INTO t (id, c299) VALUES (1, 5)")
    with pair.task(pair.code()) as running:
        running.settle()
    assert found(compared(pair, running=False)["t"]) == set()
    pair.select("UPDATE t SET c299 = 6, c0 = 0")
    assert found(compared(pair, running=False)["t"]) == {(What.DIFFERENT, (1,), ("c0", "c299"))}


def test_what_the_target_refused_is_told_apart(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))", "INSERT INTO t VALUES (1, 'a\\0b'), (2, 'x')")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("DELETE FROM t WHERE id = 2")
    report = compared(pair, running=False)["t"]
    assert found(report) == {(What.MISSING, (2,), ())}
    assert [(f.key["id"], f.why, "invalid byte" in f.note) for f in report.findings] == [
        (1, Why.REFUSED, True),
        (2, Why.UNKNOWN, False),
    ]


def test_what_is_given_up(pair: Pair, small: None) -> None:
    _made(pair, "id INT", "id", "seq")
    pair.select("DELETE FROM t")
    report = compared(pair, running=False, most=20)["t"]
    assert "20 rows differ already" in report.trouble and len(report.findings) == 20 and not report.equal
    with pytest.raises(BadConfig, match="reads no table named u"):
        compared(pair, running=False, tables=["u"])


def test_what_cannot_be_compared_says_why_and_the_others_are(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE u (id INT PRIMARY KEY)")
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("DROP TABLE t")
    reports = compared(pair, running=False)
    assert "There is no table" in reports["t"].trouble and not reports["t"].equal
    assert reports["u"].equal
    code = pair.code("u", writeMode="insert")
    assert "holds every change as a row" in compared(pair, code, running=False)["u"].trouble


# While things move.


def test_a_writer_that_never_stops_is_no_difference(pair: Pair, small: None) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))")
    pair.sql(f"INSERT INTO t SELECT seq, 'first' FROM seq_1_to_{ROWS}")
    with pair.task(pair.code("t")) as running:
        running.settle()
        with Busy(pair, 7):
            assert found(compared(pair)["t"]) == set()
            pair.select("INSERT INTO t VALUES (-1, 'planted')")
            pair.sql("INSERT INTO t VALUES (-2, 'lost')", sql_log_bin=0)
            pair.sql("INSERT INTO t VALUES (-3, 'changed')")
            running.until(lambda: pair.select("SELECT 1 FROM t WHERE id = -3") != [])
            pair.select("UPDATE t SET v = 'chanGed' WHERE id = -3")
            assert found(compared(pair)["t"]) == {
                (What.EXTRA, (-1,), ()),
                (What.MISSING, (-2,), ()),
                (What.DIFFERENT, (-3,), ("v",)),
            }
        running.settle()
        assert len(found(compared(pair)["t"])) == 3


def test_rows_that_never_rest(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading is followed by changes, of values and of keys, so that no two readings are alike."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v BIGINT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_20")
    with pair.task(pair.code("t")) as running:
        running.settle()
        pair.sql("UPDATE t SET v = 1 WHERE id = 2", sql_log_bin=0)
        pair.select("DELETE FROM t WHERE id = 3")
        moves = (
            "UPDATE t SET v = v + 1 WHERE id IN (1, 4)",
            "UPDATE t SET id = IF(id = 5, 105, 5) WHERE id IN (5, 105)",
            "DELETE FROM t WHERE id = 6",
            "INSERT INTO t VALUES (6, 6)",
        )
        number = itertools.count()

        def restless(name: str) -> None:
            asked = getattr(MySQLInspection, name)

            def then_moved(self: MySQLInspection, *of: Any) -> Any:
                found = asked(self, *of)
                found = found if name == "rows" else iter(list(found))
                pair.sql(*moves[:3]) if next(number) % 2 else pair.sql(*moves[:2], moves[3])
                return found

            monkeypatch.setattr(MySQLInspection, name, then_moved)

        restless("rows")
        restless("entries")
        pair.sql(moves[2])
        for _ in range(3):
            report = compared(pair)["t"]
            assert found(report) == {(What.DIFFERENT, (2,), ("v",)), (What.MISSING, (3,), ())}
            assert report.unsettled == []
        assert next(number) > 20


def test_a_task_that_does_not_get_on_is_said(pair: Pair) -> None:
    _made(pair, "id INT", "id", "seq")
    pair.sql("UPDATE t SET v = 'new' WHERE id = 5")
    report = compared(pair, running=True, seconds=0.5)["t"]
    assert "did not come as far as" in report.trouble and report.findings == []


def test_what_a_resting_task_has_still_to_apply(pair: Pair, small: None) -> None:
    _made(pair, "id INT", "id", "seq")
    pair.sql(
        "UPDATE t SET v = 'new' WHERE id = 5", "DELETE FROM t WHERE id = 6", "INSERT INTO t VALUES (2000, 'n', '')"
    )
    pair.sql("UPDATE t SET v = 'other' WHERE id = 7", sql_log_bin=0)
    pair.select("UPDATE t SET v = 'wrong' WHERE id = 9")
    report = compared(pair, running=False)["t"]
    assert {f.key["id"]: f.why for f in report.findings} == {
        5: Why.PENDING,
        6: Why.PENDING,
        2000: Why.PENDING,
        7: Why.UNKNOWN,
        9: Why.UNKNOWN,
    }
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert {key for _, key, _ in found(compared(pair)["t"])} == {(7,), (9,)}


def test_a_log_that_has_begun_a_new_file_is_no_reason_to_wait(pair: Pair) -> None:
    _made(pair, "id INT", "id", "seq")
    with pair.task(pair.code("t")) as running:
        running.settle()
        pair.sql("FLUSH BINARY LOGS")
        pair.select("DELETE FROM t WHERE id = 3")
        assert found(compared(pair, seconds=10)["t"]) == {(What.MISSING, (3,), ())}


def test_before_the_log_has_brought_anything(pair: Pair) -> None:
    """The target has no checkpoint of the log yet; where it will begin is known to the store."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_20")
    with pair.task(pair.code("t")) as running:
        running.until(lambda: pair.select("SELECT to_regclass('t') IS NOT NULL") == [(True,)])
        running.until(lambda: len(pair.select("SELECT 1 FROM t")) == 20)
        pair.select("DELETE FROM t WHERE id = 7")
        report = compared(pair)["t"]
        assert found(report) == {(What.MISSING, (7,), ())} and report.unsettled == []


def test_texts_of_many_sets_and_collations_in_one_row(pair: Pair) -> None:
    kinds = {
        "a": "VARCHAR(9) COLLATE utf8mb4_general_ci",
        "b": "VARCHAR(9) COLLATE utf8mb4_bin",
        "c": "VARCHAR(9) CHARACTER SET utf8mb3",
        "d": "VARCHAR(9) CHARACTER SET latin1",
        "e": "TEXT CHARACTER SET gbk",
        "f": "ENUM('é', '|') CHARACTER SET latin1 COLLATE latin1_bin",
        "g": "VARBINARY(9)",
        "h": "LONGTEXT CHARACTER SET ucs2",
    }
    pair.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
    pair.sql(
        f"INSERT INTO t VALUES (1, {', '.join(['0xC3A9'] * 6)}, 'é', 'é'), (2{', NULL' * 8})".replace("0xC3A9", "'é'")
    )
    with pair.task(pair.code()) as running:
        running.settle()
    here, there = digests(pair, pair.code())["t"]
    assert here == there and here.rows == 2
    for column in kinds:
        pair.select(f"UPDATE t SET {column} = '|' WHERE id = 1")
        assert found(compared(pair, running=False)["t"]) == {
            (What.DIFFERENT, (1,), tuple(kinds)[: list(kinds).index(column) + 1])
        }


def test_keys_that_are_dense_sparse_and_dense_again(pair: Pair, small: None) -> None:
    """Ranges are counted on where keys lie evenly, and looked for where they do not."""
    pair.sql(
        "CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT seq, 0 FROM seq_1_to_2000",
        "INSERT INTO t SELECT 1000000 + seq * 100000, 0 FROM seq_1_to_500",
        "INSERT INTO t SELECT 4294967295 - seq, 0 FROM seq_0_to_1500",
    )
    with pair.task(pair.code()) as running:
        running.settle()
    report = compared(pair, running=False)["t"]
    assert report.equal and report.rows == (4001, 4001)
    wrong = (1, 1999, 2000, 1100000, 51000000, 4294965795, 4294967295)
    pair.select(f"UPDATE t SET v = 1 WHERE id IN {wrong}")
    assert found(compared(pair, running=False)["t"]) == {(What.DIFFERENT, (n,), ("v",)) for n in wrong}


def test_what_is_held_does_not_grow_with_what_differs(pair: Pair) -> None:
    """Rows that are only in the source, keys that are not ordered alike."""
    pair.sql(
        "CREATE TABLE t (id VARCHAR(40) PRIMARY KEY, v VARCHAR(200))",
        "INSERT INTO t SELECT MD5(seq), REPEAT(MD5(seq), 6) FROM seq_1_to_60000",
    )
    pair.select("CREATE TABLE t (id varchar(40) PRIMARY KEY, v varchar(200))")
    tracemalloc.start()
    try:
        report = compared(pair, running=False, most=700)["t"]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(report.findings) == 700 and "differ already" in report.trouble
    assert most < 64 << 20


@pytest.mark.parametrize("policy", ["null", "text", "dirty"])
def test_dates_that_no_calendar_has(pair: Pair, policy: str) -> None:
    """As the task's rule has them: nulls, texts, or rows that were refused because they cannot be read."""
    code = pair.code("t", reader={"zeroDate": policy})
    pair.sql(
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE, m DATETIME(3))",
        "INSERT INTO t VALUES (1, '2024-02-29', '2024-02-29 23:59:58.987'), (3, NULL, NULL)",
        "INSERT INTO t VALUES (2, 0, '2024-02-31 10:00:00')",
    )
    with pair.task(code) as running:
        running.settle()
        pair.sql("SET sql_mode = 'ALLOW_INVALID_DATES'", "INSERT INTO t VALUES (4, '2024-00-10', 0), (5, NULL, NULL)")
        running.settle()
        report = compared(pair, code)["t"]
        assert [(f.key["id"], f.what, f.why) for f in report.findings] == (
            [(n, What.MISSING, Why.REFUSED) for n in (2, 4)] if policy == "dirty" else []
        )
        pair.select("UPDATE t SET d = NULL WHERE id = 1")
        assert found(compared(pair, code)["t"]) == {(What.DIFFERENT, (1,), ("d",))}
        here, there = digests(pair, code)["t"]
        assert here != there
