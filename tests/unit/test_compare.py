"""What is equal, and how two databases agree on a way to compare."""

from __future__ import annotations

from typing import Any

import pytest

from disync.model.compare import Form, Order, Pair, Trait, agree, hashable, plain
from disync.model.data import Column, Table
from disync.model.errors import BadConfig
from disync.model.types import Kind


@pytest.mark.parametrize(
    ("kind", "one", "other", "form"),
    [
        (Kind.INTEGER, 5, "5.000", Form.NUMBER),
        (Kind.DECIMAL, "0.00", "0", Form.NUMBER),
        (Kind.DECIMAL, "1" * 60 + ".50", "1" * 60 + ".5", Form.NUMBER),
        (Kind.BOOLEAN, True, 1, Form.NUMBER),
        (Kind.DOUBLE, -0.0, 0.0, Form.FLOAT),
        (Kind.TIME, "12:00:00.500", "12:00:00.5", Form.SPAN),
        (Kind.TIME, "12:00:00.000", "12:00:00", Form.SPAN),
        (Kind.STRING, "a ", "a", Form.PADDED),
        (Kind.JSON, '{"b": 1.0, "a": [1]}', '{"a":[1],"b":1.00}', ""),
        (Kind.STRING, None, None, Form.TEXT),
    ],
)
def test_equal_values_that_are_kept_in_other_ways(kind: Kind, one: Any, other: Any, form: str) -> None:
    assert plain(kind, one, form) == plain(kind, other, form)
    assert hash(hashable(plain(kind, one, form))) == hash(hashable(plain(kind, other, form)))


@pytest.mark.parametrize(
    ("kind", "one", "other", "form"),
    [
        (Kind.DECIMAL, "1" * 60 + ".5", "1" * 60 + ".6", Form.NUMBER),
        (Kind.DECIMAL, "NaN", "0", Form.NUMBER),
        (Kind.INTEGER, 5, "5x", Form.NUMBER),
        (Kind.STRING, "a ", "a", Form.TEXT),
        (Kind.STRING, "", None, Form.TEXT),
        (Kind.JSON, '{"a": true}', '{"a": 1}', ""),
        (Kind.JSON, '{"a": 1}', '{"a" :1}', Form.LONG),
        (Kind.TIME, "10:00:00", "1", Form.SPAN),
        (Kind.DOUBLE, -1.0, -2.0, ""),
        (Kind.BIGINT, -1, "-2", ""),
        (Kind.DECIMAL, "0", str(2**61 - 1), ""),
        (Kind.JSON, '{"a": [-1]}', '{"a": [-2]}', ""),
        (Kind.JSON, '{"a": 1}', '{"a": "1"}', ""),
        (Kind.JSON, "[]", "{}", ""),
    ],
)
def test_values_that_are_not_equal(kind: Kind, one: Any, other: Any, form: str) -> None:
    assert plain(kind, one, form) != plain(kind, other, form)
    assert hash(hashable(plain(kind, one, form))) != hash(hashable(plain(kind, other, form)))


PAIR = Pair(
    Table("t", (Column("a", Kind.BIGINT), Column("b", Kind.STRING), Column("c", Kind.JSON)), ("a", "b")),
    Table("u", (Column("x", Kind.BIGINT), Column("y", Kind.STRING), Column("z", Kind.JSON)), ("x", "y")),
)
NUMBER, TEXT = Trait((Form.NUMBER,), Order.NUMBER), Trait((Form.LONG, Form.TEXT))


def test_the_first_common_form_is_taken_and_none_that_hides_a_key() -> None:
    method = agree(PAIR, {"a": NUMBER, "b": TEXT, "c": Trait((Form.LONG,))}, {"x": NUMBER, "y": TEXT, "z": Trait()})
    assert method.forms == (Form.NUMBER, Form.TEXT, "") and method.loose == (2,)
    assert (method.keys, method.ordered) == ((0, 1), 1)


def test_keys_are_ordered_alike_only_from_their_beginning() -> None:
    pair = Pair(
        Table("t", PAIR.source.columns, ("b", "a")),
        Table("u", PAIR.target.columns, ("y", "x")),
    )
    traits = {"a": NUMBER, "b": TEXT, "c": TEXT}
    assert agree(pair, traits, {"x": NUMBER, "y": TEXT, "z": TEXT}).ordered == 0
    alike = Trait((Form.TEXT,), Order.BYTES)
    assert agree(pair, traits | {"b": alike}, {"x": NUMBER, "y": alike, "z": TEXT}).ordered == 2


def test_a_key_without_a_common_form_is_refused_by_name() -> None:
    with pytest.raises(BadConfig, match="no common form for its key column b"):
        agree(PAIR, {"a": NUMBER, "b": TEXT, "c": TEXT}, {"x": NUMBER, "y": Trait((Form.LONG,)), "z": TEXT})
