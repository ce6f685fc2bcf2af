"""Changes folded in compiled code come to what plain Python folds them to, and to what they do one by one."""

from __future__ import annotations

import struct
import time
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Fields, PlainFold, compared, packed

from disync.native import rows
from disync.native.fold import Fold
from disync.native.packets import Broken

Changes = list[tuple[str, Fields]]

often = settings(max_examples=150)


def numeric(scale: int, *groups: int, negative: bool = False) -> bytes:
    return struct.pack(f"!HhHH{len(groups)}H", len(groups), 0, 0x4000 if negative else 0, scale, *groups)


PLAIN = [b"", b"a", b"b", b"ab", b"x" * 40 + b"1", b"x" * 40 + b"2"]
NUMERIC = [numeric(1, 1, 5000), numeric(2, 1, 5000), numeric(0, 2), numeric(2, 2), numeric(0), numeric(3)]
FLOAT = [struct.pack("!d", value) for value in (0.0, -0.0, 1.5, -1.5)]
KEYS: dict[str, list[bytes]] = {"plain": PLAIN, "numeric": NUMERIC, "float": FLOAT}


@st.composite
def changes(draw: st.DrawFn) -> tuple[int, list[int], list[str], bool, list[Changes]]:
    """(width, places of the key, how they are compared, whether conflicts are ignored, changes in several pieces)"""
    width = draw(st.integers(1, 5))
    keys = draw(st.lists(st.integers(0, width - 1), min_size=1, max_size=width, unique=True))
    how = [draw(st.sampled_from(sorted(KEYS))) for _ in keys]
    kinds = dict(zip(keys, how, strict=True))
    parts = [st.none() | st.sampled_from(KEYS[kinds[at]] if at in kinds else [b"1", b"2"]) for at in range(width)]
    row = st.tuples(*parts)
    one = st.one_of(
        row.map(lambda new: [("I", new)]),
        row.map(lambda old: [("D", old)]),
        row.map(lambda new: [("U", new)]),
        row.map(lambda old: [("B", old)]),
        st.tuples(row, row).map(lambda both: [("B", both[0]), ("U", both[1])]),
    )
    piece = st.lists(one, max_size=12).map(lambda steps: [change for step in steps for change in step])
    return width, keys, how, draw(st.booleans()), draw(st.lists(piece, min_size=1, max_size=3))


def take(fold: Fold, piece: Changes) -> list[Fields]:
    ops = "".join(op for op, _ in piece).encode()
    refused = fold.take(b"".join(packed(row) for _, row in piece), ops)
    return [row for data in refused for row in rows.fields(data)]


@often
@given(changes())
def test_any_changes_fold_as_in_plain_python(case: tuple[int, list[int], list[str], bool, list[Changes]]) -> None:
    width, keys, how, ignore, pieces = case
    fold, plain = Fold(width, keys, how, ignore), PlainFold(keys, how, ignore)
    for piece in pieces:
        assert take(fold, piece) == plain.take(piece)
        assert len(fold) == len(plain)
        assert rows.fields(fold.gone()) == plain.gone()
        assert [rows.fields(fold.live(new)) for new in (False, True)] == [plain.live(False), plain.live(True)]


class Server:
    """A table whose rows are changed one by one, as a source's server does; every change is logged as it would be."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.rows: dict[Any, Fields] = {}
        self.log: Changes = []

    def key(self, row: Fields) -> Any:
        assert row[0] is not None
        return compared(row[0], self.how)

    def insert(self, row: Fields) -> None:
        if self.key(row) not in self.rows:
            self.rows[self.key(row)] = row
            self.log.append(("I", row))

    def delete(self, key: Any) -> None:
        self.log.append(("D", self.rows.pop(key)))

    def update(self, key: Any, row: Fields) -> None:
        if self.key(row) == key or self.key(row) not in self.rows:
            self.log += [("B", self.rows.pop(key)), ("U", row)]
            self.rows[self.key(row)] = row


@often
@given(st.data())
def test_folded_changes_make_the_table_that_single_ones_make(data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(sorted(KEYS)))
    server = Server(how)
    row = st.tuples(st.sampled_from(KEYS[how]), st.sampled_from([b"1", b"2", None]))
    for one in data.draw(st.lists(row, max_size=6)):
        server.insert(one)
    target, server.log = dict(server.rows), []
    fold = Fold(2, [0], [how], False)
    for _ in range(data.draw(st.integers(0, 15))):
        held = sorted(server.rows)
        what = data.draw(st.sampled_from(["insert", "delete", "update", "flush"]))
        if what == "insert":
            server.insert(data.draw(row))
        elif what == "flush":
            take(fold, server.log)
            server.log = []
        elif held:
            key = data.draw(st.sampled_from(held))
            server.delete(key) if what == "delete" else server.update(key, data.draw(row))
    take(fold, server.log)
    assert applied(fold, target, how) == server.rows


def applied(fold: Fold, target: dict[Any, Fields], how: str) -> dict[Any, Fields]:
    """As the writer does it: what is gone leaves, then what is live comes."""
    for (key,) in rows.fields(fold.gone()):
        assert key is not None
        target.pop(compared(key, how), None)
    for row in rows.fields(fold.live(False)):
        assert row[0] is not None
        target[compared(row[0], how)] = row
    return target


def numbered(number: int, note: bytes) -> Fields:
    return struct.pack("!q", number), note


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("descending", [False, True])
def test_key_chains_over_many_rows(descending: bool, pieces: int) -> None:
    """`id = id + 1` over every row: from the last on, or from the first on, where rows come before others have gone."""
    count = 10_000
    numbers = range(count, 0, -1) if descending else range(1, count + 1)
    chain = [
        change
        for number in numbers
        for change in (("B", numbered(number, b"%d" % number)), ("U", numbered(number + 1, b"%d" % number)))
    ]
    fold = Fold(2, [0], ["plain"], False)
    for piece in range(pieces):
        size = 2 * (count // pieces + 1)
        take(fold, chain[piece * size : (piece + 1) * size])
    target = applied(fold, {numbered(n, b"")[0]: numbered(n, b"%d" % n) for n in range(1, count + 1)}, "plain")
    assert target == {numbered(n + 1, b"")[0]: numbered(n + 1, b"%d" % n) for n in range(1, count + 1)}


def test_a_row_that_goes_and_comes_again_is_there() -> None:
    fold = Fold(2, [0], ["plain"], False)
    take(fold, [("D", (b"k", b"old")), ("I", (b"k", b"new"))])
    assert fold.gone() == b"" and rows.fields(fold.live(False)) == [(b"k", b"new")]
    take(fold, [("D", (b"k", b"new"))])
    assert rows.fields(fold.gone()) == [(b"k",)] and fold.live(False) == b""


def test_where_conflicts_are_ignored_the_first_insert_counts() -> None:
    fold = Fold(2, [0], ["plain"], True)
    take(fold, [("I", (b"k", b"1")), ("I", (b"k", b"2")), ("I", (b"l", b"1")), ("U", (b"l", b"2"))])
    assert rows.fields(fold.live(True)) == [(b"k", b"1")] and rows.fields(fold.live(False)) == [(b"l", b"2")]


def test_without_ops_all_rows_are_inserted() -> None:
    fold = Fold(1, [0], ["plain"], False)
    assert fold.take(packed((b"a",)) + packed((b"b",)) + packed((b"a",))) == [] and len(fold) == 2
    assert rows.fields(fold.live(False)) == [(b"b",), (b"a",)]


@pytest.mark.parametrize("prefix", [b"", b"the same beginning of every key " * 8])
def test_many_keys(prefix: bytes) -> None:
    """The table of keys grows many times over; keys differ in their last bytes only."""
    random = Random(7)
    numbers = [random.randrange(1 << 40) for _ in range(100_000)]
    lines = [(prefix + b"%d" % number, b"%d" % place) for place, number in enumerate(numbers)]
    fold = Fold(2, [0], ["plain"], False)
    for at in range(0, len(lines), 30_000):
        fold.take(b"".join(map(packed, lines[at : at + 30_000])))
    last = dict(lines)
    assert len(fold) == len(last)
    goes = random.sample(sorted(last), 40_000)
    take(fold, [("D", (key, b"")) for key in goes])
    assert sorted(rows.fields(fold.gone())) == sorted((key,) for key in goes)
    for key in goes:
        del last[key]
    assert dict(rows.fields(fold.live(False))) == last


def test_keys_made_to_collide_do_not() -> None:
    """Words that differ in their highest bits alone, which a multiplication does not carry anywhere."""
    high, both = bytes(7) + b"\x80", bytes(3) + b"\x80" + bytes(3) + b"\x80"
    pairs = [bytes(16), high + both]
    made = [b"".join(pairs[number >> bit & 1] for bit in range(13)) for number in range(1 << 13)]
    random = Random(1)
    assert seconds(made) < 20 * seconds([random.randbytes(16 * 13) for _ in made]), (
        "the first would take 200 times longer"
    )


def seconds(keys: list[bytes]) -> float:
    """Of the processor, that folding takes."""
    fold, data = Fold(1, [0], ["plain"], False), b"".join(packed((key,)) for key in keys)
    began = time.thread_time()
    fold.take(data)
    assert len(fold) == len(keys)
    return time.thread_time() - began


@pytest.mark.parametrize(
    ("data", "ops", "why"),
    [
        (packed((b"a", b"b")), b"II", "fewer rows"),
        (packed((b"a", b"b")) * 2, b"I", "more rows"),
        (packed((b"a",)), b"I", "width"),
        (packed((b"a", b"b"))[:-1], b"I", "break off"),
        (b"\0\2\0\0\0\1a\xff\xff\xff\xfe", b"I", "break off"),
        (b"\0\2\0\0\0\1a\x7f\xff\xff\xff", b"I", "break off"),
        (packed((b"a", b"b")), b"X", "kind"),
    ],
)
def test_a_fold_that_has_seen_broken_rows_is_of_no_use_any_more(data: bytes, ops: bytes, why: str) -> None:
    fold = Fold(2, [0], ["plain"], False)
    with pytest.raises(Broken, match=why):
        fold.take(data, ops)
    for use in (lambda: fold.take(b"", b""), fold.gone, lambda: fold.live(False)):
        with pytest.raises(Broken, match="before"):
            use()


@pytest.mark.parametrize("keys", [[], [2], [-1], [0, 5]])
def test_a_key_has_to_be_in_the_row(keys: list[int]) -> None:
    with pytest.raises(Broken, match="key"):
        Fold(2, keys, ["plain"] * len(keys), False)
