"""Changes that are parted by key and folded part by part come to what they come to when they are folded together."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import Fields, compared, packed
from test_native_fold import NUMERIC, PLAIN, Changes, changes, often

from disync.native import rows
from disync.native.fold import Fold
from disync.native.packets import Broken

SEEDS = st.integers(0, (1 << 64) - 1)
Part = tuple[list[Fields], str]


def parted(piece: Changes, keys: list[int], how: list[str], count: int, seed: int = 1) -> list[Part]:
    lines, ops = b"".join(packed(row) for _, row in piece), "".join(op for op, _ in piece)
    found = rows.part(lines, ops.encode(), keys, how, count, seed)
    return [(rows.fields(some), said.decode()) for some, said in found]


def state(folds: list[Fold]) -> tuple[list[Fields], list[Fields], list[Fields]]:
    gone, old, new = [], [], []
    for fold in folds:
        gone += rows.fields(fold.gone())
        old += rows.fields(fold.live(False))
        new += rows.fields(fold.live(True))
    return tuple(sorted(some, key=repr) for some in (gone, old, new))  # type: ignore[return-value]


@often
@given(changes(), st.integers(1, 5), SEEDS)
def test_parts_fold_to_what_all_fold_to(
    case: tuple[int, list[int], list[str], bool, list[Changes]], count: int, seed: int
) -> None:
    width, keys, how, ignore, pieces = case
    whole, parts = Fold(width, keys, how, ignore), [Fold(width, keys, how, ignore) for _ in range(count)]
    refused, apart = [], []
    for piece in pieces:
        lines, ops = b"".join(packed(row) for _, row in piece), "".join(op for op, _ in piece).encode()
        refused += whole.take(lines, ops)
        for fold, (some, said) in zip(parts, rows.part(lines, ops, keys, how, count, seed), strict=True):
            apart += fold.take(some, said)
    assert sorted(refused) == sorted(apart)
    assert sum(map(len, parts)) == len(whole)
    assert state(parts) == state([whole])


@often
@given(changes(), st.integers(1, 5), SEEDS)
def test_each_row_goes_to_the_part_of_its_key_and_nowhere_else(
    case: tuple[int, list[int], list[str], bool, list[Changes]], count: int, seed: int
) -> None:
    _, keys, how, _, pieces = case
    owner: dict[object, int] = {}
    for piece in pieces:
        found = parted(piece, keys, how, count, seed)
        everywhere = [row for some, _ in found for row in some]
        assert sorted(everywhere, key=repr) == sorted((row for _, row in piece), key=repr)
        for number, (some, ops) in enumerate(found):
            assert len(some) == len(ops)
            for row in some:
                values = [(row[at], kind) for at, kind in zip(keys, how, strict=True)]
                key = tuple(None if field is None else (compared(field, kind), kind) for field, kind in values)
                assert owner.setdefault(key, number) == number


def test_a_row_that_moves_leaves_one_part_and_comes_to_the_other() -> None:
    keys = [struct.pack("!i", number) for number in range(40)]
    piece: Changes = [change for old in range(39, 0, -1) for change in (("B", (keys[old - 1],)), ("U", (keys[old],)))]
    found = parted(piece, [0], ["plain"], 2)
    assert {"L", "M"} <= set(found[0][1]) and {"L", "M"} <= set(found[1][1])
    assert sum(ops.count("L") for _, ops in found) == sum(ops.count("M") for _, ops in found)
    assert all(ops.count("B") == ops.count("U") for _, ops in found)


def test_a_row_before_an_update_that_never_came_is_not_taken_for_one_with_the_next() -> None:
    found = parted([("B", (b"a",)), ("I", (b"a",)), ("B", (b"a",))], [0], ["plain"], 3)
    assert [ops for _, ops in found if ops] == ["LIL"]


def test_numbers_that_are_equal_are_in_one_part() -> None:
    for seed in range(50):
        found = parted([("I", (NUMERIC[0],)), ("D", (NUMERIC[1],))], [0], ["numeric"], 4, seed)
        assert sorted(ops for _, ops in found if ops) == ["ID"]


def test_all_parts_get_some() -> None:
    piece: Changes = [("I", (struct.pack("!q", number),)) for number in range(4000)]
    sizes = [len(ops) for _, ops in parted(piece, [0], ["plain"], 4)]
    assert min(sizes) > 800


def test_nothing_comes_of_nothing() -> None:
    assert rows.part(b"", b"", [0], ["plain"], 3, 7) == [(b"", b"")] * 3


@pytest.mark.parametrize("ops", [b"", b"I", b"IB", b"III", b"IBU"])
def test_rows_and_changes_that_do_not_match_are_broken(ops: bytes) -> None:
    lines = packed((PLAIN[1],)) + packed((PLAIN[2],))
    if ops == b"IB":
        assert rows.part(lines, ops, [0], ["plain"], 1, 0) == [(lines, b"IL")]
        return
    with pytest.raises(Broken):
        rows.part(lines, ops, [0], ["plain"], 2, 0)


@pytest.mark.parametrize(("places", "count"), [([], 2), ([1], 2), ([-1], 2), ([0], 0)])
def test_a_key_that_is_not_there_is_broken(places: list[int], count: int) -> None:
    with pytest.raises(Broken):
        rows.part(packed((b"a",)), b"I", places, ["plain"] * len(places), count, 0)


def test_rows_that_break_off_are_broken() -> None:
    with pytest.raises(Broken):
        rows.part(packed((b"abc",))[:-1], b"I", [0], ["plain"], 2, 0)
