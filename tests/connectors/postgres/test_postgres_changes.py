"""Changes, folded and merged: the table is what it would be after every change one by one (groups B and F)."""

from __future__ import annotations

import random
import struct
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from place import PEOPLE, Place, changes, flush, load

from disync.connectors.postgres import checkpoint, connection
from disync.model.data import Batch, Column, Dirty, Encoded, Position, SchemaChange, Table
from disync.model.errors import BadConfig, BegunAnew, Fenced, Unreachable
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind
from disync.native import pgcopy
from waiting import until

pytestmark = pytest.mark.usefixtures("way")

PAIR = Table(
    "pair",
    (Column("a", Kind.INTEGER), Column("b", Kind.STRING), Column("v", Kind.DECIMAL, precision=65, scale=30)),
    ("b", "a"),
)


def test_an_insert_an_update_and_a_delete(place: Place) -> None:
    sink = place.sink(PEOPLE)
    sink.write(changes(("I", (1, "one")), ("I", (2, "two")), ("I", (3, "three"))))
    assert flush(sink) == []
    sink.write(changes(("B", (1, "one")), ("U", (1, "uno")), ("D", (2, "two")), ("U", (4, "no image before"))))
    assert flush(sink, "2") == []
    assert place.rows() == [(1, "uno"), (3, "three"), (4, "no image before")]


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_c87_a_chain_of_key_updates_keeps_every_row(place: Place, order: str) -> None:
    count = 10_000
    sink = place.sink(PEOPLE)
    sink.write(load([(i, f"row {i}") for i in range(count)]))
    flush(sink)
    ids = range(count) if order == "ascending" else range(count - 1, -1, -1)
    moves = [pair for i in ids for pair in (("B", (i, f"row {i}")), ("U", (i + 1, f"row {i}")))]
    for at in range(0, len(moves), 3_000):  # a transaction may come in several batches
        sink.write(changes(*moves[at : at + 3_000]))
    assert flush(sink, "2") == []
    assert place.rows() == [(i + 1, f"row {i}") for i in range(count)]


def test_c87_a_chain_that_is_spilled_in_parts(place: Place) -> None:
    sink = place.sink(PEOPLE, batchSize=700)
    sink.write(load([(i, f"row {i}") for i in range(3000)]))
    flush(sink)
    moves = [p for i in range(2999, -1, -1) for p in (("B", (i, f"row {i}")), ("U", (i + 1, f"row {i}")))]
    for at in range(0, len(moves), 500):
        sink.write(changes(*moves[at : at + 500]))
        assert len(place.rows()) == 3000 and place.rows()[0] == (0, "row 0"), "nothing shows before the flush"
    assert flush(sink, "2") == []
    assert place.rows() == [(i + 1, f"row {i}") for i in range(3000)]


def test_c88_many_changes_of_one_key_in_a_batch(place: Place) -> None:
    sink = place.sink(PEOPLE)
    sink.write(load([(1, "old"), (2, "old"), (3, "old")]))
    flush(sink)
    sink.write(
        changes(
            ("D", (1, "old")),
            ("I", (1, "again")),
            ("B", (2, "old")),
            ("U", (2, "x")),
            ("D", (2, "x")),
            ("I", (4, "a")),
            ("B", (4, "a")),
            ("U", (4, "b")),
            ("D", (4, "b")),
            ("I", (4, "c")),
            ("I", (5, "a")),
            ("D", (5, "a")),
            ("B", (3, "old")),
            ("U", (6, "moved")),
            ("I", (3, "another")),
        )
    )
    assert flush(sink, "2") == []
    assert place.rows() == [(1, "again"), (3, "another"), (4, "c"), (6, "moved")]


def _one_by_one(table: dict[Any, Any], pairs: Sequence[tuple[str, Any]]) -> None:
    for op, row in pairs:
        if op in "BD":
            table.pop((row[0], row[1]), None)
        else:
            table[row[0], row[1]] = row


@pytest.mark.parametrize("seed", range(8))
def test_any_changes_come_to_the_same_as_one_by_one(place: Place, seed: int) -> None:
    """Random transactions over few keys of two columns, flushed and spilled at random."""
    chance = random.Random(seed)
    table: dict[Any, Any] = {}
    sink = place.sink(PAIR, batchSize=chance.choice([5, 17, 50_000]))
    for number in range(15):
        pairs: list[tuple[str, Any]] = []
        now = dict(table)
        for _ in range(chance.randint(1, 20)):
            key = (chance.randint(0, 3), chance.choice(["a", "A", "a ", "高"]))
            row = (*key, chance.choice(["1.5", "-0.000000000000000000000000000001", None]))
            if key in now and chance.random() < 0.3:
                step = [("D", now[key])]
            elif now and chance.random() < 0.6:
                old = chance.choice(list(now.values()))
                step = [("B", old), ("U", row)] if key not in now or key == old[:2] else []
            else:
                step = [] if key in now else [("I", row)]
            _one_by_one(now, step)
            pairs += step
        cut = chance.randint(0, len(pairs))
        for part in (pairs[:cut], pairs[cut:]):
            if part:
                sink.write(changes(*part, table=PAIR))
        assert flush(sink, str(number)) == []
        table = now
        found = [(a, b, None if v is None else f"{v:f}") for a, b, v in place.rows("pair")]
        wanted = [(a, b, None if v is None else f"{float(v):.30f}") for a, b, v in table.values()]
        assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_a_session_that_the_server_ends_in_a_transaction_is_no_fault_of_the_task(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several sessions waits for the others for as long as one of them waits for a lock."""
    limit = "idle_in_transaction_session_timeout="
    monkeypatch.setattr(connection, "_SESSION", connection._SESSION.replace(f"{limit}60000", f"{limit}200"))
    sink = place.sink(PEOPLE, batchSize=1)
    flush(sink)
    sink.write(changes(("I", (1, "sent on")), ("I", (2, "sent on")), position="2"))
    idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in %' AND datname = current_database()"
    until(lambda: place.run(idle) == [(0,)])
    with pytest.raises(Unreachable, match="idle-in-transaction"):
        sink.hold()


def test_c92_an_older_run_changes_nothing_any_more(place: Place) -> None:
    old, new = place.sink(PEOPLE), place.sink(PEOPLE)
    old.write(changes(("I", (1, "from the past"))))
    new.write(changes(("I", (1, "new"))))
    flush(new, "9", epoch=2)
    with pytest.raises(Fenced):
        flush(old, "1", epoch=1)
    assert place.rows() == [(1, "new")]
    assert place.run("SELECT position, epoch FROM disync_checkpoint WHERE split <> ''") == [("9", 2)]


def test_c92_an_earlier_beginning_of_a_task_changes_nothing_any_more(place: Place) -> None:
    """Its checkpoints are others', so that neither positions nor epochs tell."""
    parts = {"has flushed": "log", "has not": "part 1", "alters": "part 2", "alters first": "part 3"}
    old = {what: place.sink(PEOPLE, split=split, owner="here/7/3") for what, split in parts.items()}
    for what in ("has flushed", "alters"):
        old[what].write(changes(("I", (len(what), what))))
        flush(old[what], "1", epoch=4, split=parts[what])
    others = [
        place.sink(PEOPLE, split=owner, owner=owner) for owner in ("here/71/1", "here/7/other", "other", "here/6/9")
    ]
    place.sink(PEOPLE, owner="here/7/10")
    for what in ("has flushed", "has not"):
        old[what].write(changes(("I", (99, "from the past"))))
        with pytest.raises(Fenced, match="begun anew"):
            flush(old[what], "2", epoch=4, split=parts[what])
    for what in ("alters", "alters first"):
        with pytest.raises((Unreachable, BegunAnew)):
            old[what].alter(SchemaChange(PEOPLE, PEOPLE, "TRUNCATETABLE", "TRUNCATE people", Position("2")))
    again = place.writer(owner="here/7/3").open(Split("log", PEOPLE))
    with pytest.raises(BegunAnew):
        again.last()
    with pytest.raises(BegunAnew):
        flush(again, "2", epoch=5)
    with pytest.raises(BegunAnew):
        place.writer(owner="here/7/3").prepare([PEOPLE])
    assert place.rows() == [(6, "alters"), (11, "has flushed")]
    for key, sink in enumerate(others):
        sink.write(changes(("I", (20 + key, "goes on"))))
        flush(sink, "1", split="log")
    assert len(place.rows()) == 2 + len(others)


@pytest.mark.parametrize("flushed", [True, False])
def test_c92_what_an_earlier_beginning_just_commits_comes_before_the_later_one(place: Place, flushed: bool) -> None:
    sink = place.sink(PEOPLE, owner="here/7/1")
    if flushed:
        flush(sink)
    with psycopg.connect(place.url) as lock:
        lock.execute("LOCK TABLE people IN EXCLUSIVE MODE")
        sink.write(changes(("I", (1, "late"))))
        committing = threading.Thread(target=flush, args=(sink, "2"))
        committing.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: place.run(waits) == [(1,)])
        beginning = threading.Thread(target=place.writer(owner="here/7/2").prepare, args=([PEOPLE],))
        beginning.start()
        until(lambda: place.run(waits) == [(2,)])
        assert beginning.is_alive()
    beginning.join(20)
    assert not beginning.is_alive() and place.rows() == [(1, "late")]
    committing.join(20)


def test_c92_a_task_of_an_earlier_release_leaves_its_mark_when_it_goes_on(place: Place) -> None:
    """Else a first row of it, and a later beginning's first mark, would not see each other."""
    flush(place.sink(PEOPLE, owner="here/7/1"))
    place.run("DELETE FROM disync_checkpoint WHERE split = ''")
    place.sink(PEOPLE, owner="here/7/1")
    marks = place.run("SELECT task, epoch FROM disync_checkpoint WHERE split = '' ORDER BY task")
    assert marks == [("here/7", 1), ("here/7/1", 0)]


def test_c92_an_earlier_beginning_and_a_later_one_do_not_wait_for_each_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sink that begins locks the row of its stream's first one, which the later beginning closes."""
    writer = place.writer(owner="here/7/1")
    writer.prepare([PEOPLE])
    flush(writer.open(Split("log", PEOPLE)))
    sink = writer.open(Split("log/1", PEOPLE, lead="log"))
    beginning = threading.Thread(target=place.writer(owner="here/7/2").prepare, args=([PEOPLE],))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    require_lead = checkpoint.require_lead

    def meanwhile(*arguments: Any) -> None:
        require_lead(*arguments)
        beginning.start()
        until(lambda: place.run(waits) == [(1,)])

    monkeypatch.setattr(checkpoint, "require_lead", meanwhile)
    flush(sink, split="log/1")
    beginning.join(20)
    closed = "SELECT count(*) FROM disync_checkpoint WHERE task = 'here/7/1' AND epoch > 1"
    assert place.run(closed) == [(3,)], "its own, and those of both sinks"


def test_c92_a_run_that_was_overtaken_by_its_dying_elder_starts_again(place: Place) -> None:
    """The elder commits after the younger has read its position: going on from there would repeat rows."""
    old, new = place.sink(PEOPLE), place.sink(PEOPLE)
    assert new.last() is None
    old.write(changes(("I", (1, "one"))))
    flush(old, "5", epoch=1)
    new.write(changes(("I", (1, "one"))))
    with pytest.raises(Unreachable):
        flush(new, "5", epoch=2)
    assert place.sink(PEOPLE).last() is not None


def test_c20_killed_before_and_after_the_commit(place: Place) -> None:
    """Before it nothing is there, neither rows nor position; after it both are, although nobody heard of it."""
    sink = place.sink(PEOPLE, batchSize=10)
    sink.write(changes(("I", (1, "one"))))
    flush(sink, "1")
    sink.write(changes(*[("I", (i, "more")) for i in range(2, 40)], position="2"))  # sent on, not committed
    pids = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {}"
    place.run(pids.format("application_name LIKE 'disync%' AND state = 'idle in transaction'"))
    with pytest.raises(Unreachable):
        flush(sink, "2")
    again = place.sink(PEOPLE)
    held = again.last()
    assert held is not None and held.position == "1" and len(place.rows()) == 1
    again.write(changes(*[("I", (i, "more")) for i in range(2, 40)], position="2"))
    flush(again, "2", epoch=2)
    third = place.sink(PEOPLE).last()  # the answer to the commit may be lost: the next run asks the target
    assert third is not None and third.position == "2" and third.epoch == 2 and len(place.rows()) == 39


def test_c71_a_nul_in_a_text_is_a_dirty_row(place: Place) -> None:
    sink = place.sink(PEOPLE)
    sink.write(changes(("I", (1, "good")), ("I", (2, "b\0d")), ("I", (3, "good")), position="7"))
    (dirty,) = flush(sink, "7")
    assert dirty.table == "public.people" and dirty.position == "7" and "U+0000" in dirty.reason
    assert dirty.row == '{"id":2,"name":"b\\u0000d"}'
    sink.write(changes(("B", (2, "b\0d")), ("U", (2, "mended")), ("D", (1, "good")), ("D", (9, "n\0ver"))))
    assert flush(sink, "8") == []
    assert place.rows() == [(2, "mended"), (3, "good")]


def test_refused_rows_are_kept_beside_the_checkpoint_until_the_next_one(place: Place) -> None:
    sink = place.sink(PEOPLE)
    sink.write(changes(("I", (1, "good")), ("I", (2, "b\0d"))))
    unread = Dirty("people", "{}", "nobody can read it", Position("1"))
    dirty = sink.flush(Checkpoint("log", Position("1"), 1, refused=(unread,)))
    held = place.sink(PEOPLE).last()
    assert held is not None and held.refused == (unread, *dirty) and len(dirty) == 1
    sink.write(changes(("I", (3, "good"))))
    flush(sink, "2")
    held = place.sink(PEOPLE).last()
    assert held is not None and held.refused == ()


def test_c71_the_column_at_fault_is_named_where_the_server_is_the_judge(place: Place) -> None:
    sink = place.sink(PEOPLE)
    lines = b"".join(struct.pack("!hiqi", 2, 8, key, len(name)) + name for key, name in ((1, b"good"), (2, b"b\0d")))
    sink.write(Batch(PEOPLE, Encoded(pgcopy.FORMAT, (lines,), 2), b"II", Position("1")))
    (dirty,) = flush(sink)
    assert dirty.reason.startswith("column name: invalid byte sequence") and dirty.row == '{"id":2,"name":"b\\u0000d"}'
    assert place.rows() == [(1, "good")]


def test_a_checkpoint_table_of_an_earlier_release_grows(place: Place) -> None:
    flush(place.sink(PEOPLE), "1")
    place.run("ALTER TABLE disync_checkpoint DROP COLUMN refused")
    held = place.sink(PEOPLE).last()
    assert held is not None and held.position == "1" and held.refused == ()


def test_rows_the_server_refuses_are_found_among_many(place: Place) -> None:
    place.run("CREATE TABLE people (id bigint PRIMARY KEY, name text CHECK (name NOT LIKE 'bad%'))")
    sink = place.sink(PEOPLE)
    sink.write(load([(i, "bad" if i in (7, 500, 501) else "good") for i in range(1000)]))
    assert sorted(dirty.row for dirty in flush(sink)) == [f'{{"id":{i},"name":"bad"}}' for i in (500, 501, 7)]
    assert len(place.rows()) == 997
    sink.write(changes(("B", (1, "good")), ("U", (1, "bad 2")), ("B", (2, "good")), ("U", (2, "fine"))))
    (dirty,) = flush(sink, "2")
    assert "bad 2" in dirty.row and "check constraint" in dirty.reason
    assert place.rows()[1:3] == [(1, "good"), (2, "fine")]


def test_a_full_load_over_rows_that_are_there(place: Place) -> None:
    first = place.sink(PEOPLE)
    first.write(load([(i, "first") for i in range(100)]))
    flush(first, split="chunk")
    again = place.sink(PEOPLE, split="other")
    again.write(load([(i, "again") for i in range(50, 150)]))
    again.write(load([(200, "a"), (200, "b")]))
    assert flush(again, split="other") == []
    assert [name for _, name in place.rows()] == ["first"] * 50 + ["again"] * 100 + ["b"]


def test_conflicts_may_be_ignored(place: Place) -> None:
    place.sink(PEOPLE)
    place.run("INSERT INTO people VALUES (1, 'mine'), (2, 'mine'), (3, 'mine')")
    sink = place.sink(PEOPLE, conflictMode="ignore")
    sink.write(changes(("I", (1, "theirs")), ("I", (4, "first")), ("I", (4, "second")), ("U", (2, "theirs"))))
    sink.write(changes(("D", (3, "mine")), ("I", (3, "theirs"))))
    flush(sink)
    sink.write(load([(1, "loaded"), (5, "loaded")]))
    flush(sink, "2")
    assert place.rows() == [(1, "mine"), (2, "theirs"), (3, "theirs"), (4, "first"), (5, "loaded")]


def test_rows_may_swap_what_the_target_keeps_unique(place: Place) -> None:
    place.run("CREATE TABLE people (id bigint PRIMARY KEY, name text UNIQUE)")
    sink = place.sink(PEOPLE)
    sink.write(load([(1, "a"), (2, "b"), (3, "c")]))
    flush(sink)
    swap = [("B", (1, "a")), ("U", (1, "-")), ("B", (2, "b")), ("U", (2, "a")), ("B", (1, "-")), ("U", (1, "b"))]
    sink.write(changes(*swap))
    assert flush(sink, "2") == []
    assert place.rows() == [(1, "b"), (2, "a"), (3, "c")]


def test_columns_of_the_target_alone_are_kept(place: Place) -> None:
    place.run(
        "CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, own int DEFAULT 5,"
        " twice text GENERATED ALWAYS AS (name || name) STORED)"
    )
    sink = place.sink(PEOPLE)
    sink.write(load([(1, "a"), (2, "b")]))
    flush(sink)
    place.run("UPDATE people SET own = 9 WHERE id = 1")
    sink.write(changes(("U", (1, "c")), ("I", (3, "d"))))
    flush(sink, "2")
    assert place.rows() == [(1, "c", 9, "cc"), (2, "b", 5, "bb"), (3, "d", 5, "dd")]


def test_changes_without_a_key_are_refused_or_appended(place: Place) -> None:
    heap = replace(PEOPLE, keys=())
    sink = place.sink(heap)
    sink.write(load([(1, "one"), (1, "one")], heap))
    assert flush(sink) == []
    with pytest.raises(BadConfig, match="writeMode"):
        sink.write(changes(("I", (2, "two")), table=heap))
    assert place.rows() == [(1, "one"), (1, "one")]
    place.run("DROP TABLE people")
    appending = place.sink(heap, writeMode="insert", split="other")
    appending.write(load([(1, "loaded")], heap))
    flush(appending, split="other")
    appending.write(
        changes(("I", (2, "a")), ("B", (2, "a")), ("U", (2, "b")), ("D", (2, "b")), ("U", (3, "c")), table=heap)
    )
    flush(appending, "2", split="other")
    found = place.rows(order="_sequence_id_, _before_image_ DESC")
    assert [(row[0], row[1], row[3], row[5], row[6]) for row in found] == [
        (1, "loaded", "I", "N", "Y"),
        (2, "a", "I", "N", "Y"),
        (2, "a", "U", "Y", "N"),
        (2, "b", "U", "N", "Y"),
        (2, "b", "D", "Y", "N"),
        (3, "c", "U", "N", "Y"),
    ]
    numbers = [row[2] for row in found]
    assert numbers == [f"{n:020d}" for n in (1, 2, 3, 3, 4, 5)]
    assert len({row[4] for row in found}) <= 2 and all(row[4] > 1_600_000_000_000 for row in found)


def test_the_keys_of_the_target_serve_a_source_without_any(place: Place) -> None:
    place.run("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
    heap = replace(PEOPLE, keys=())
    sink = place.sink(heap)
    sink.write(changes(("I", (1, "a")), ("I", (1, "b")), ("I", (None, "no key")), table=heap))
    (dirty,) = flush(sink)
    assert "no key" in dirty.row
    assert place.rows() == [(1, "b")]


def test_one_sink_writes_many_tables(place: Place) -> None:
    others = [replace(PEOPLE, name=name) for name in ("x", "y")]
    sink = place.sink(*others)
    for table in [*others, *others]:
        sink.write(changes(("U", (1, table.name)), table=table))
    sink.write(changes(("D", (1, "")), table=others[0]))
    flush(sink)
    assert (place.rows("x"), place.rows("y")) == ([], [(1, "y")])


def test_rows_of_another_shape_without_a_word_are_taken_by_name(place: Place) -> None:
    """The policy may keep a change of the schema from the sink; its rows come all the same."""
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, Column("more", Kind.STRING)))
    narrower = replace(PEOPLE, columns=PEOPLE.columns[:1])
    sink = place.sink(PEOPLE)
    sink.write(changes(("I", (1, "one"))))
    sink.write(changes(("I", (2, "two", "more")), ("U", (1, "uno", "more")), table=wider))
    sink.write(changes(("U", (2,)), ("I", (3,)), table=narrower))
    flush(sink)
    assert place.rows() == [(1, "uno"), (2, "two"), (3, None)]


def test_rows_are_wider_again_than_they_were(place: Place) -> None:
    narrower = replace(PEOPLE, columns=PEOPLE.columns[:1])
    place.sink(PEOPLE)
    sink = place.sink(narrower)
    sink.write(changes(("I", (1,)), ("I", (2,)), table=narrower))
    sink.write(changes(("U", (1, "uno"))))
    flush(sink)
    assert place.rows() == [(1, "uno"), (2, None)]


@pytest.mark.parametrize("kind", ["text COLLATE ci", "character(9)"])
def test_c89_keys_that_are_equal_here_only_are_refused(place: Place, kind: str) -> None:
    place.run("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    place.run(f"CREATE TABLE words (word {kind} PRIMARY KEY)")
    with pytest.raises(BadConfig, match="collation"):
        place.sink(Table("words", (Column("word", Kind.STRING),), ("word",)))


def test_c89_keys_that_are_equal_in_the_source_only(place: Place) -> None:
    """In MySQL `a`, `A` and `a ` may be one key: its log tells each change of the spelling as an update of the key."""
    words = Table("words", (Column("word", Kind.STRING), Column("n", Kind.INTEGER)), ("word",))
    sink = place.sink(words)
    sink.write(changes(("I", ("a", 1)), ("B", ("a", 1)), ("U", ("A", 2)), table=words))
    flush(sink)
    assert place.rows("words") == [("A", 2)]
    sink.write(changes(("D", ("A", 2)), ("I", ("a ", 3)), ("B", ("a ", 3)), ("U", ("á", 4)), table=words))
    flush(sink, "2")
    assert place.rows("words") == [("á", 4)]


def test_equal_decimals_and_zeros_are_one_key(place: Place) -> None:
    table = Table("n", (Column("d", Kind.DECIMAL), Column("f", Kind.DOUBLE), Column("v", Kind.STRING)), ("d", "f"))
    sink = place.sink(table)
    sink.write(changes(("I", ("1.50", 0.0, "a")), ("U", ("1.5", -0.0, "b")), table=table))
    assert flush(sink) == []
    assert [row[2] for row in place.rows("n")] == ["b"]


def test_what_was_not_flushed_is_gone_after_a_rollback(place: Place) -> None:
    sink = place.sink(PEOPLE, batchSize=1)
    sink.write(changes(("I", (1, "one"))))
    sink.close()
    assert place.rows() == []
    with pytest.raises(Unreachable):
        flush(sink)


def test_the_table_vanishes_under_the_task(place: Place) -> None:
    sink = place.sink(PEOPLE)
    sink.write(changes(("I", (1, "one"))))
    place.run("DROP TABLE people")
    with pytest.raises(BadConfig, match="Check the target table"):
        flush(sink)
    with pytest.raises(BadConfig, match="There is no table"):
        place.writer().open(Split("log", PEOPLE)).write(changes(("I", (1, "one"))))


def test_two_tasks_in_one_schema(place: Place) -> None:
    one, two = place.sink(PEOPLE, owner="one"), place.sink(PEOPLE, owner="two")
    flush(one, "1")
    flush(two, "2", epoch=7)
    again = place.sink(PEOPLE, owner="one").last()
    assert again is not None and (again.position, again.epoch) == ("1", 1)


def test_who_was_replaced_makes_no_further_sink_of_a_stream(place: Place) -> None:
    """The newer run has looked for them before, and would not know of it."""
    place.writer().prepare([PEOPLE])
    stream = Split("log", PEOPLE, endless=True)
    parts = [replace(stream, id=f"log/{number}", lead="log") for number in (1, 2)]
    old, new = place.writer(), place.writer()
    old.open(stream).flush(Checkpoint("log", Position("5"), 1))
    there = old.open(parts[0])
    there.flush(Checkpoint("log/1", Position("5"), 1))
    late = old.open(parts[1])
    lead = new.open(stream)
    lead.flush(Checkpoint("log", Position("5"), 2))
    assert lead.parts() == ["log/1"]
    with pytest.raises(Fenced, match="Run 2 writes log now; this is run 1"):
        late.flush(Checkpoint("log/2", Position("5"), 1))
    new.open(parts[0]).flush(Checkpoint("log/1", Position("6"), 2, done=True))
    ended = old.open(parts[0])
    with pytest.raises(Fenced):
        ended.flush(Checkpoint("log/1", Position("5"), 1))
    assert lead.parts() == []
    new.open(parts[1]).flush(Checkpoint("log/2", Position("6"), 2))
    assert lead.parts() == ["log/2"]
