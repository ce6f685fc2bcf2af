"""From the full load to the log (group A), from server to server: whatever happens meanwhile, both sides are equal."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from busy import ROWS, Busy
from pair import ALL, Pair

from contract.source import rows_in
from disync.connectors.mysql import CONNECTOR, chunks
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.connectors.mysql.pages import Pages
from disync.connectors.mysql.reader import MySQLReader
from disync.connectors.postgres.sink import PostgresSink
from disync.engine import pace
from disync.engine.ledger import Notebook
from disync.engine.plan import PARALLEL, PARTS_A_CHANNEL
from disync.model.connector import Site
from disync.model.data import Batch, Position
from disync.model.errors import BadConfig, PositionGone, Unreachable
from disync.model.run import Checkpoint, Split

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))"
FILL = f"INSERT INTO t SELECT seq * 2, 'first' FROM seq_0_to_{ROWS - 1}"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables are cut, too, and pages end inside of ranges."""
    monkeypatch.setattr(chunks, "LEAST_ROWS", 1)
    monkeypatch.setattr("disync.connectors.mysql.pages.PAGE_ROWS", 150)


def _before_page(monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], Any]) -> None:
    """Do something just before the page of this number is asked for, whichever range it is of."""
    lock, count, rows_after = threading.Lock(), 0, Pages.rows_after

    def counted(self: Pages, *arguments: Any) -> Iterator[Any]:
        nonlocal count
        with lock:
            count += 1
            if count == number:
                do()
        return rows_after(self, *arguments)

    monkeypatch.setattr(Pages, "rows_after", counted)


def _in_the_end(pair: Pair, **told: Any) -> None:
    """A run that sees its table altered begins again, as often as it has to."""
    for _ in range(3):
        with pair.task(pair.code("t"), **told) as running:
            try:
                running.settle()
                return
            except Unreachable:
                running.fails()
    raise AssertionError("it begins again and again")


@pytest.mark.parametrize("seed", range(2))
def test_c01_heavy_writes_while_ranges_are_read(both: Pair, seed: int) -> None:
    both.sql(TABLE, FILL, "ANALYZE TABLE t")
    with Busy(both, seed) as busy, both.task(both.code("t", reader={"batchSize": 100})) as running:
        running.until(lambda: busy.count > 300)
        running.settle()
    with both.task(both.code("t")) as running:
        running.settle()
        assert both.equal()


def test_c01_appended_is_the_load_once_and_every_change_once(pair: Pair) -> None:
    pair.sql(TABLE, FILL, "ANALYZE TABLE t")
    code = pair.code("t", reader={"batchSize": 100}, writeMode="insert")
    with Busy(pair, 7), pair.task(code) as running:
        running.until(lambda: "binlog" in pair.ledger.checkpoints())
        first = pair.ledger.checkpoints()["binlog"].position
        running.settle()
    with pair.task(code) as running:
        running.settle()
    appended = Counter(pair.select("SELECT _operation_type_, _after_image_, id, v FROM t"))
    loaded = appended - _changes(pair, first)
    assert appended - loaded == _changes(pair, first)
    ids = [row[2] for row in loaded.elements()]
    assert len(ids) == len(set(ids)) and len(ids) > ROWS * 0.9
    assert {row[:2] for row in loaded} == {("I", "Y")}


def _changes(pair: Pair, after: Position) -> Counter[tuple[Any, ...]]:
    """What the log says from a position on, as an appending target has it."""
    site = Site({"connection": [{"datasource": "here", "table": ["t"]}]}, pair.content())
    assert CONNECTOR.reader is not None
    reader = CONNECTOR.reader(site)
    assert isinstance(reader, MySQLChangeReader)
    pair.sql("REPLACE INTO t VALUES (-1, 'marker')", "DELETE FROM t WHERE id = -1")
    found: Counter[tuple[Any, ...]] = Counter()
    for event in reader.changes(reader.streams()[0], after):
        if isinstance(event, Batch):
            for op, row in zip((event.ops or b"").decode(), rows_in([event]), strict=True):
                if row[0] == -1:
                    reader.close()
                    return found
                found[{"B": "U"}.get(op, op), "N" if op in "BD" else "Y", *row] += 1
    raise AssertionError("the log ended")


def test_c02_a_table_that_is_added_on_restart_is_loaded(pair: Pair) -> None:
    pair.sql(TABLE, FILL, "CREATE TABLE u (id INT PRIMARY KEY, v VARCHAR(30))")
    pair.sql("INSERT INTO u SELECT seq, 'before' FROM seq_1_to_500")
    with pair.task(pair.code("t")) as running:
        running.settle()
        first = set(pair.ledger.checkpoints())
    pair.sql("UPDATE u SET v = 'between' WHERE id < 50", "DELETE FROM u WHERE id = 77", "DELETE FROM t WHERE id > 100")
    with pair.task(pair.code("t", "u")) as running:
        running.settle()
        pair.sql("UPDATE u SET id = id + 1000 WHERE id > 400", "INSERT INTO t VALUES (1, 'more')")
        running.settle()
        assert pair.equal("t") and pair.equal("u")
    loaded = set(pair.ledger.checkpoints()) - first
    assert loaded and {split.table.name for split in pair.ledger.load() if split.id in loaded} == {"u"}


def test_c02_a_table_that_is_added_to_an_appending_task_is_followed_only(pair: Pair) -> None:
    """Its log is read from before a load: a load besides would have its rows twice."""
    pair.sql(TABLE, "CREATE TABLE u (id INT PRIMARY KEY)", "INSERT INTO u VALUES (1)")
    with pair.task(pair.code("t", writeMode="insert")) as running:
        running.settle()
    pair.sql("INSERT INTO u VALUES (2)")
    with pair.task(pair.code("t", "u", writeMode="insert")) as running:
        running.settle()
        assert pair.select("SELECT id FROM u") == [(2,)]


def test_c03_a_table_that_is_removed_on_restart_lets_the_others_go_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was taken out of the task, while its load was not yet done; another has been dropped."""
    pair.sql(TABLE, FILL, "CREATE TABLE u (id INT PRIMARY KEY)", "INSERT INTO u SELECT seq FROM seq_1_to_5000")
    pair.sql("CREATE TABLE w (id INT PRIMARY KEY)")

    def fail() -> None:
        raise Unreachable("cut off")

    with monkeypatch.context() as patched, pair.task(pair.code()) as running:
        _before_page(patched, 9, fail)
        assert isinstance(running.fails(), Unreachable)
    assert not all(split.id in pair.ledger.checkpoints() for split in pair.ledger.load())
    pair.sql("INSERT INTO u VALUES (9999)", "INSERT INTO t VALUES (1, 'more')", "DROP TABLE w")
    with pair.task(pair.code("t")) as running:
        running.until(lambda: pair.select("SELECT 1 FROM t WHERE id = 1") != [])
        pair.sql("INSERT INTO t VALUES (3, 'still')", "INSERT INTO u VALUES (10000)")
        running.until(lambda: pair.equal("t"))


@pytest.mark.mariadb
def test_c04_the_log_takes_over_where_numbers_run_backwards(pair: Pair) -> None:
    """File positions, no GTID asked for: new files begin at small offsets, and other servers' transactions come."""
    pair.sql(TABLE, FILL)
    code = pair.code("t", writeMode="insert")
    with pair.task(code) as running:
        running.until(lambda: "binlog" in pair.ledger.checkpoints())
        for number in range(6):
            pair.sql(f"SET SESSION server_id = {90 - number}", f"INSERT INTO t VALUES ({-number - 1}, 'log')")
            pair.sql("FLUSH BINARY LOGS")
        running.settle()
    pair.sql("SET SESSION server_id = 5", "INSERT INTO t VALUES (-100, 'log')")
    with pair.task(code) as running:
        running.settle()
    once = "SELECT id, count(*) FROM t WHERE id < 0 AND _sequence_id_ < '00000000000000000100' GROUP BY id ORDER BY id"
    found = dict(pair.select(once))
    assert sorted(found) == [-100, *range(-6, 0)] and max(found.values()) <= 2 and found[-100] == 1
    assert pair.select("SELECT count(*) FROM (SELECT id FROM t WHERE id >= 0 GROUP BY id HAVING count(*) > 1) d") == [
        (0,)
    ]


def test_c05_a_key_moves_from_one_range_into_another_during_the_load(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is moved behind the reader's back, where nobody looks any more, another one is read in both places."""
    both.sql(TABLE, FILL, "ANALYZE TABLE t")
    first_done, read = threading.Event(), MySQLReader.read

    def ordered(self: MySQLReader, split: Split, after: Position | None) -> Iterator[Any]:
        if chunks.range_of(split.bounds).low is None:
            yield from read(self, split, after)
            both.sql("UPDATE t SET id = -5 WHERE id = 5000", "UPDATE t SET id = 5555 WHERE id = 10")
            first_done.set()
        else:
            assert first_done.wait(20)
            yield from read(self, split, after)

    monkeypatch.setattr(MySQLReader, "read", ordered)
    with both.task(both.code("t")) as running:
        running.settle()
        assert len(both.ledger.load()) > 1
        assert both.equal()
        assert both.select("SELECT id FROM t WHERE id IN (-5, 5000, 10, 5555) ORDER BY 1") == [(-5,), (5555,)]


def test_c06_the_first_position_is_kept_however_often_the_load_is_tried(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.sql(TABLE, FILL, "ANALYZE TABLE t")

    def fail() -> None:
        raise Unreachable("cut off")

    positions = []
    for attempt in range(3):
        with monkeypatch.context() as patched, pair.task(pair.code("t")) as running:
            _before_page(patched, 3, fail)
            assert isinstance(running.fails(), Unreachable)
        positions.append(pair.ledger.checkpoints()["binlog"].position)
        low = attempt * 1000
        pair.sql(
            f"DELETE FROM t WHERE id BETWEEN {low} AND {low + 50}", f"INSERT INTO t VALUES ({-attempt - 1}, 'new')"
        )
        pair.sql("FLUSH BINARY LOGS")
    assert len(set(positions)) == 1
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert pair.equal()


def test_c07_a_load_that_outlasts_the_log_never_ends_green(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.sql(TABLE, FILL)

    def purge() -> None:
        pair.sql("DELETE FROM t WHERE id = 0", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
        file, clock = pair.sql("SHOW MASTER STATUS")[0][0], threading.Event()
        while pair.sql(f"PURGE BINARY LOGS TO '{file}'", "SHOW BINARY LOGS")[0][0] != file:
            clock.wait(0.05)  # the server does not purge what it believes is still being read

    _before_page(monkeypatch, 2, purge)
    for _ in range(2):
        with pair.task(pair.code("t")) as running:
            error = running.fails()
            assert isinstance(error, PositionGone) and "load the tables again" in str(error)


@pytest.mark.mariadb
def test_c08_keys_in_the_order_of_their_collation(both: Pair) -> None:
    """Letter case, accents and trailing spaces: with and without padding, equal keys there are equal keys here."""
    both.sql(
        "CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT CONCAT(ELT(1 + seq % 4, 'fxx', 'Fxx', 'é', 'Z'), seq), seq FROM seq_1_to_1000",
        "CREATE TABLE p (k VARCHAR(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, v INT)",
        "INSERT INTO p SELECT CONCAT('k', seq DIV 2, IF(seq % 2, ' ', '')), seq FROM seq_1_to_1000",
        "ANALYZE TABLE t, p",
    )
    with both.task(both.code()) as running:
        running.settle()
        assert both.equal("t") and both.equal("p")
        both.sql("UPDATE t SET k = CONCAT(UPPER(k), ' ') WHERE v % 3 = 0", "DELETE FROM t WHERE k < 'FXX5'")
        both.sql("UPDATE p SET v = -v WHERE k LIKE '% '", "DELETE FROM p WHERE k = 'k7'")
        running.settle()
        assert both.equal("t") and both.equal("p")


def test_c09_sparse_keys_make_a_bounded_number_of_ranges_and_statements(pair: Pair) -> None:
    pair.sql(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(30))",
        "INSERT INTO t SELECT seq * 100000000000007 + (seq % 7), 'x' FROM seq_1_to_900",
        "INSERT INTO t VALUES (-9223372036854775808, 'least'), (9223372036854775807, 'greatest')",
        "ANALYZE TABLE t",
    )

    def selects() -> int:
        return int(pair.sql("SHOW GLOBAL STATUS LIKE 'Com_select'")[0][1])

    before = selects()
    with pair.task(pair.code("t")) as running:
        running.settle()
    parts = len(pair.ledger.load())
    assert parts <= PARALLEL * PARTS_A_CHANNEL
    assert selects() - before < 70 + 2 * parts, "of 902 rows, in pages of 150"
    assert pair.equal()


def test_c10_an_unsigned_key_above_half_of_its_range(both: Pair) -> None:
    both.sql(
        "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, v VARCHAR(30))",
        "INSERT INTO t SELECT 18446744073709551615 - seq * 7919, 'x' FROM seq_0_to_999",
        "INSERT INTO t VALUES (0, 'least')",
        "ANALYZE TABLE t",
    )
    with both.task(both.code("t")) as running:
        running.settle()
        assert both.equal(columns="id, v")
        both.sql("UPDATE t SET id = id - 1 WHERE id > 18446744073709551600", "DELETE FROM t WHERE id = 0")
        running.settle()
        assert both.equal(columns="id, v") and len(both.ledger.load()) > 1


KEYS = {
    "enum": ("ENUM('z', 'y', 'x,', '')", "1 + seq % 4", "k", "k"),
    "set": ("SET('a', 'b', 'c')", "seq % 8", "k", "k"),
    "bit": ("BIT(64)", "seq * 9223372036854775", "k + 0", "k"),
    "binary": ("BINARY(8)", "UNHEX(CONCAT(LPAD(HEX(seq), 4, '0'), '00'))", "HEX(k)", "upper(encode(k, 'hex'))"),
    "varbinary": ("VARBINARY(8)", "UNHEX(LPAD(HEX(seq), 4, '0'))", "HEX(k)", "upper(encode(k, 'hex'))"),
    "decimal": ("DECIMAL(30, 10)", "seq / 7 - 100", "k", "k"),
    "uuid as text": ("CHAR(36)", "UUID()", "k", "k"),
    "date": ("DATE", "'2000-01-01' + INTERVAL seq DAY", "k", "k"),
}


def test_c12_c13_keys_of_every_type_in_another_order_than_the_columns(both: Pair) -> None:
    names = {name: f"t_{name[:9].replace(' ', '_')}" for name in KEYS}
    for name, (kind, value, _, _) in KEYS.items():
        table = names[name]
        both.sql(
            f"CREATE TABLE {table} (n INT, v INT, k {kind}, PRIMARY KEY (k, n))",
            f"INSERT INTO {table} (n, v, k) SELECT seq, seq, {value} FROM seq_1_to_400",
            f"ANALYZE TABLE {table}",
        )
    with both.task(both.code()) as running:
        running.settle()
        for table in names.values():
            both.sql(f"UPDATE {table} SET v = -v WHERE n % 5 = 0", f"DELETE FROM {table} WHERE n % 7 = 0")
            both.sql(f"UPDATE {table} SET n = n + 1000 WHERE n % 11 = 0")
        running.settle()
        for name, (_, _, there, here) in KEYS.items():
            assert both.equal(names[name], f"n, v, {here}", f"n, v, {there}"), name


@pytest.mark.mariadb
def test_c13_a_key_that_cannot_be_read_is_refused_by_name(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id UUID PRIMARY KEY)")
    with pair.task(pair.code("t")) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and "Column id has the type uuid" in str(error)


def test_c14_rows_that_are_put_behind_the_end_for_ever(both: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every page that is read, more than a page comes behind the greatest key."""
    both.sql(TABLE, FILL, "ANALYZE TABLE t")
    lock, pages, rows_after = threading.Lock(), 0, Pages.rows_after

    def growing(self: Pages, *arguments: Any) -> Iterator[Any]:
        nonlocal pages
        with lock:
            pages += 1
            assert pages < 100, "the load has no end"
            both.sql(f"INSERT INTO t SELECT {pages * 10000} + seq, 'more' FROM seq_1_to_200")
        return rows_after(self, *arguments)

    monkeypatch.setattr(Pages, "rows_after", growing)
    with both.task(both.code("t")) as running:
        running.settle()
        assert both.equal()


@pytest.mark.parametrize("place", ["", "FIRST", "AFTER id"])
def test_c15_a_column_that_is_added_between_the_plan_and_the_reading(
    both: Pair, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Behind the others it changes nothing; among them it may have another one's name."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t SELECT seq, 1, 2 FROM seq_1_to_1000")
    split = MySQLReader.split

    def altered(self: MySQLReader, want: int) -> list[Split]:
        found = split(self, want)
        both.sql(f"ALTER TABLE t ADD COLUMN n INT {place}", "UPDATE t SET n = 7 WHERE id < 500")
        return found

    monkeypatch.setattr(MySQLReader, "split", altered)
    if place:
        with both.task(both.code("t")) as running:
            assert "was altered" in str(running.fails())
    with both.task(both.code("t")) as running:
        running.settle()
        assert both.equal(columns="id, a, b, n")


@pytest.mark.parametrize(
    ("statement", "columns"), [("DROP COLUMN a", "id, b"), ("ADD COLUMN n INT AFTER id", "id, a, b, n")]
)
def test_c16_a_table_that_is_altered_while_it_is_read(
    both: Pair, monkeypatch: pytest.MonkeyPatch, statement: str, columns: str
) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t SELECT seq, 1, 2 FROM seq_1_to_1000")
    change = f"UPDATE t SET {'n' if 'n' in columns else 'b'} = 7 WHERE id < 500"
    _before_page(monkeypatch, 3, lambda: both.sql(f"ALTER TABLE t {statement}", change))
    _in_the_end(both)
    assert both.equal(columns=columns)


@pytest.mark.parametrize("statement", ["RENAME COLUMN a TO z", "CHANGE a z BIGINT"])
def test_c16_a_column_that_gets_another_name_while_ranges_are_read(
    both: Pair, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Some are in the target by then, whose column gets the other name when the log tells of it."""
    both.plain.prepare_threshold = None
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t SELECT seq, 1, 2 FROM seq_1_to_1000")
    both.sql("ANALYZE TABLE t")
    monkeypatch.setattr(chunks, "MOST_ROWS", 100)
    _before_page(monkeypatch, 8, lambda: both.sql(f"ALTER TABLE t {statement}", "UPDATE t SET b = 7 WHERE id % 5 = 0"))
    _in_the_end(both, ddl=ALL)
    assert both.equal(columns="id, z, b")


@pytest.mark.parametrize("page", [1, 3, 8, 20])
@pytest.mark.parametrize("added", ["ADD a INT", "ADD a INT FIRST"])
def test_c16_a_column_that_comes_under_the_name_of_another_while_ranges_are_read(
    both: Pair, monkeypatch: pytest.MonkeyPatch, page: int, added: str
) -> None:
    """What is read of it from then on is not what the column of that name was in the target."""
    both.plain.prepare_threshold = None
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t SELECT seq, 1, 2 FROM seq_1_to_3000")
    both.sql("ANALYZE TABLE t")
    swap = f"ALTER TABLE t CHANGE a z INT, {added}"
    _before_page(monkeypatch, page, lambda: both.sql(swap, "UPDATE t SET a = 7 WHERE id % 5 = 0"))
    _in_the_end(both, ddl=ALL)
    assert both.equal(columns="id, a, b, z")


def test_c18_a_table_without_a_key_is_refused_or_appended(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (a INT, b INT)", "INSERT INTO t SELECT seq % 3, 1 FROM seq_1_to_500")
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert pair.equal()
        pair.sql("INSERT INTO t VALUES (1, 2)")
        error = running.fails()
    assert isinstance(error, BadConfig) and "set `writeMode` to insert" in str(error)
    pair.select("DROP TABLE t, disync_checkpoint")
    pair.ledger = type(pair.ledger)()
    with pair.task(pair.code("t", writeMode="insert")) as running:
        running.settle()
        pair.sql("INSERT INTO t VALUES (1, 2), (1, 2)", "DELETE FROM t WHERE b = 2 LIMIT 1")
        running.settle()
        assert pair.select("SELECT _operation_type_, count(*) FROM t WHERE b = 2 GROUP BY 1 ORDER BY 1") == [
            ("D", 1),
            ("I", 3),
        ]


def test_c18_a_load_without_a_key_that_is_cut_off_is_there_once(both: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    both.sql("CREATE TABLE t (a INT, b INT)", "INSERT INTO t SELECT seq % 3, 1 FROM seq_1_to_25000")
    rows_without_key = Pages.rows_without_key

    def cut(self: Pages, limit: int) -> Iterator[Any]:
        for number, event in enumerate(rows_without_key(self, limit)):
            if number == 2:
                raise Unreachable("cut off")
            yield event

    with monkeypatch.context() as patched:
        patched.setattr(Pages, "rows_without_key", cut)
        with both.task(both.code("t")) as running:
            assert isinstance(running.fails(), Unreachable)
    with both.task(both.code("t")) as running:
        running.settle()
        assert both.equal()


@pytest.mark.parametrize("mode", ["replay", "insert"])
@pytest.mark.parametrize("then", ["DROP PRIMARY KEY", "DROP PRIMARY KEY, ADD PRIMARY KEY (v)"])
def test_c18_a_load_whose_key_has_gone_in_the_middle_is_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, then: str, mode: str
) -> None:
    """It would be read whole once more, or go on by another key; by its own it goes on."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)", "INSERT INTO t SELECT seq, -seq FROM seq_1_to_1000")
    pair.sql("ANALYZE TABLE t")

    def fail() -> None:
        raise Unreachable("cut off")

    code = pair.code("t", writeMode=mode)
    monkeypatch.setattr(pace, "KEPT_ROWS", 100)
    monkeypatch.setattr("disync.engine.plan.FEW", 0)  # a small table has its key already, and another one is a misfit
    with monkeypatch.context() as patched, pair.task(code) as running:
        _before_page(patched, 4, fail)
        assert isinstance(running.fails(), Unreachable)
    before = pair.select("SELECT count(*) FROM t")
    assert 0 < before[0][0] < 1000
    pair.sql(f"ALTER TABLE t {then}")
    with pair.task(code) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and error.tables == {"t"}
    assert "t was (id) when its load was cut" in str(error) and "RetryDISyncTables" in str(error)
    assert pair.select("SELECT count(*) FROM t") == before
    pair.sql(f"ALTER TABLE t {'DROP PRIMARY KEY, ' if 'ADD' in then else ''}ADD PRIMARY KEY (id)")
    with pair.task(code) as running:
        running.settle()
    assert pair.equal(columns="id, v")


def test_c18_equal_rows_are_not_made_one_by_a_key_that_only_the_target_has(both: Pair) -> None:
    """The one that the target does not take is refused and kept."""
    both.sql("CREATE TABLE t (a INT NOT NULL, b INT)", "INSERT INTO t VALUES (1, 1), (2, 1), (1, 1)")
    both.select("CREATE TABLE t (a integer PRIMARY KEY, b integer)")
    with both.task(both.code("t")) as running:
        running.settle()
    (refused,) = both.ledger.dirty
    assert refused.row == '{"a":1,"b":1}' and "Key (a)=(1) already exists" in refused.reason
    assert both.select("SELECT a, b FROM t ORDER BY a") == [(1, 1), (2, 1)]


@pytest.mark.parametrize("writers", [1, 3])
def test_c18_a_table_that_loses_its_key_is_changed_no_more(both: Pair, writers: int) -> None:
    """Rows that were one may be two now: the key that the target still has would make them one."""
    code = both.code("t", writerConcurrent=writers)
    both.sql("CREATE TABLE t (a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with both.task(code) as running:
        running.settle()
        both.sql("UPDATE t SET b = 3 WHERE a = 2")
        running.settle()
        both.sql("ALTER TABLE t DROP PRIMARY KEY", "INSERT INTO t VALUES (1, 7)", "DELETE FROM t WHERE b = 1")
        assert isinstance(running.fails(), BadConfig)
    with both.task(code) as running:
        assert "Changes of t cannot be repeated, as it has no key. Give it a primary key" in str(running.fails())
    assert both.select("SELECT * FROM t ORDER BY a") == [(1, 1), (2, 3)]


def test_c18_a_mapping_may_say_what_tells_rows_apart_of_a_table_without_a_key(both: Pair) -> None:
    """As whoever makes the task knows better; the table is still loaded whole."""
    rules = [{"srcTable": "t", "dstTable": "t", "primaryKeyInfo": {"type": "pk", "column": ["a"]}}]
    both.sql("CREATE TABLE t (a INT NOT NULL, b INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with both.task(both.code("t", tableMappingRule={"datasource": [{"tableRule": rules}]})) as running:
        running.settle()
        both.sql("INSERT INTO t VALUES (3, 3)", "UPDATE t SET a = 9 WHERE a = 1", "DELETE FROM t WHERE a = 2")
        running.settle()
        assert both.equal()


@pytest.mark.parametrize("others", [False, True], ids=["the task begins anew", "the table comes to a task"])
def test_c18_rows_without_a_key_are_not_loaded_beside_those_of_an_earlier_load(pair: Pair, others: bool) -> None:
    pair.sql("CREATE TABLE t (a INT, b INT)", "INSERT INTO t VALUES (1, 1), (1, 1)", "CREATE TABLE u LIKE t")
    with pair.task(pair.code("t")) as running:
        running.settle()
    pair.ledger = type(pair.ledger)()
    pair.select("DROP TABLE disync_checkpoint")  # a task that begins anew keeps it under another name
    if others:
        with pair.task(pair.code("u")) as running:
            running.settle()
    with pair.task(pair.code("t", "u")) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and error.tables == {"t"}
    assert "t holds rows already" in str(error) and "Empty it" in str(error)
    assert pair.equal()
    pair.select("TRUNCATE TABLE t")
    with pair.task(pair.code("t", "u")) as running:
        running.settle()
        assert pair.equal()


@pytest.mark.parametrize("writers", [1, 3])
def test_c18_a_table_that_is_given_the_key_it_was_asked_for_goes_on(both: Pair, writers: int) -> None:
    code = both.code("t", writerConcurrent=writers)
    both.sql("CREATE TABLE t (a INT NOT NULL, b INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with both.task(code) as running:
        running.settle()
        both.sql("INSERT INTO t VALUES (3, 3)", "UPDATE t SET b = 9 WHERE a = 1", "DELETE FROM t WHERE a = 2")
        assert "Give it a primary key" in str(running.fails())
    both.sql("ALTER TABLE t ADD PRIMARY KEY (a)")
    with both.task(code) as running:
        error = running.fails()
        assert isinstance(error, BadConfig) and "the primary key here is none" in str(error)
    both.select("ALTER TABLE t ADD PRIMARY KEY (a)")
    with both.task(code) as running:
        running.settle()
        assert both.equal()


@pytest.mark.parametrize(("first", "then"), [(1, 4), (4, 1)])
def test_c32_the_load_goes_on_with_another_parallelism(
    both: Pair, monkeypatch: pytest.MonkeyPatch, first: int, then: int
) -> None:
    """It has been cut, and some of it has been read: neither changes, nothing is read twice."""
    both.sql(TABLE, FILL, "ANALYZE TABLE t")

    def fail() -> None:
        raise Unreachable("cut off")

    def code(concurrent: int) -> str:
        job = json.loads(both.code("t"))
        return json.dumps({**job, "setting": {"speed": {"concurrent": concurrent}}})

    monkeypatch.setattr(pace, "KEPT_ROWS", 100)
    with monkeypatch.context() as patched, both.task(code(first)) as running:
        _before_page(patched, 10, fail)
        assert isinstance(running.fails(), Unreachable)
    cuts, done = both.ledger.load(), {name: mark for name, mark in both.ledger.checkpoints().items() if mark.done}
    assert not all(split.id in done for split in cuts)
    ((there,),) = both.select("SELECT count(*) FROM t")
    both.sql("UPDATE t SET v = 'changed' WHERE id % 6 = 0", "DELETE FROM t WHERE id % 10 = 0")
    rows, rows_after = Counter[str](), Pages.rows_after

    def counted(self: Pages, *arguments: Any) -> Iterator[Any]:
        for event in rows_after(self, *arguments):
            rows["read"] += event.count if isinstance(event, Batch) else 0
            yield event

    monkeypatch.setattr(Pages, "rows_after", counted)
    with both.task(code(then)) as running:
        running.settle()
        assert both.ledger.load() == cuts and 0 < rows["read"] <= ROWS - there < ROWS
        both.sql("INSERT INTO t VALUES (1, 'more')")
        running.settle()
        assert both.equal() and len(running.runs) == 1


@pytest.mark.parametrize("dies", ["before the commit", "after the commit", "never"])
@pytest.mark.parametrize("rows", [1, 2, 3, 10_000])
def test_c22_the_last_change_of_a_transaction_moves_a_key(
    both: Pair, monkeypatch: pytest.MonkeyPatch, dies: str, rows: int
) -> None:
    """The position is behind it, and behind nothing else: whether the run dies at its flush or not, and however the
    rows were gathered."""
    both.sql(TABLE, "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    code, flush, armed = both.code("t", reader={"batchSize": rows}), PostgresSink.flush, threading.Event()

    def dying(self: PostgresSink, checkpoint: Checkpoint) -> Any:
        if armed.is_set() and dies == "before the commit":
            raise Unreachable("died")
        found = flush(self, checkpoint)
        if armed.is_set() and dies == "after the commit":
            raise Unreachable("died")
        return found

    with monkeypatch.context() as patched, both.task(code) as running:
        patched.setattr(PostgresSink, "flush", dying)
        running.settle()
        armed.set()
        both.sql("BEGIN", "INSERT INTO t VALUES (4, 'four')", "UPDATE t SET id = 20 WHERE id = 2", "COMMIT")
        if dies == "never":
            running.settle()
        else:
            assert isinstance(running.fails(), Unreachable)
    if dies != "never":
        # It is asked for where it was kept, and only once: what was changed here by hand stays.
        both.select("UPDATE t SET v = 'by hand' WHERE id = 20")
    both.sql("UPDATE t SET id = 30 WHERE id = 3")
    with both.task(code) as running:
        running.settle()
        wanted = [(1, "one"), (4, "four"), (20, "by hand" if dies == "after the commit" else "two"), (30, "three")]
        assert both.select("SELECT id, v FROM t ORDER BY id") == wanted


class Hearsay(Notebook):
    """A store that was told, while a run goes on, of parts that nobody has written into its target."""

    def checkpoint(self, split: str) -> Checkpoint | None:
        return super().checkpoint(split) or Checkpoint(split, Position(""), 1, done=True)


def test_a_part_of_which_the_target_has_nothing_is_read_whatever_the_store_says(pair: Pair) -> None:
    pair.sql(TABLE, FILL, "ANALYZE TABLE t")
    pair.ledger = Hearsay()
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert pair.equal()
