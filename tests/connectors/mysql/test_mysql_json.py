"""MySQL's binary JSON, written by hand after its published format. What a server writes: test_mysql_own."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disync.connectors.mysql.binlog import json as binary
from disync.connectors.mysql.binlog.errors import BrokenLog

LITERALS = {None: 0, True: 1, False: 2}


def _length(count: int) -> bytes:
    """In groups of seven bits, the lowest first."""
    found = bytearray()
    while count > 0x7F:
        found.append(count & 0x7F | 0x80)
        count >>= 7
    return bytes([*found, count])


def _scalar(value: Any) -> tuple[int, bytes]:
    """(type, bytes) of what is no container, each number in the smallest type that holds it, as MySQL has it."""
    if value is None or isinstance(value, bool):
        return 4, bytes([LITERALS[value]])
    if isinstance(value, str):
        data = value.encode()
        return 12, _length(len(data)) + data
    if isinstance(value, float):
        return 11, struct.pack("<d", value)
    for kind, form, low, high in (
        *((5, "<h", -(2**15), 2**15), (6, "<H", 0, 2**16), (7, "<i", -(2**31), 2**31), (8, "<I", 0, 2**32)),
        *((9, "<q", -(2**63), 2**63), (10, "<Q", 0, 2**64)),
    ):
        if low <= value < high:
            return kind, struct.pack(form, value)
    raise OverflowError(value)


def _written(value: Any) -> tuple[int, bytes]:
    """(type, bytes): a container is large where its offsets do not fit two bytes."""
    if not isinstance(value, dict | list):
        return _scalar(value)
    for large in (False, True):
        data = _container(value, large)
        if large or len(data) < 0x10000:
            return (0 if isinstance(value, dict) else 2) + large, data
    raise AssertionError("the last one is large")


def _container(value: dict[str, Any] | list[Any], large: bool) -> bytes:
    size, form, inline = (4, "<I", (4, 5, 6, 7, 8)) if large else (2, "<H", (4, 5, 6))
    keys = [key.encode() for key in value] if isinstance(value, dict) else []
    values = [_written(v) for v in (value.values() if isinstance(value, dict) else value)]
    at = 2 * size + len(keys) * (size + 2) + len(values) * (1 + size)
    head, tail = b"", b""
    for key in keys:
        head += (at + len(tail)).to_bytes(8, "little")[:size] + struct.pack("<H", len(key))
        tail += key
    for kind, data in values:
        if kind in inline:
            head += bytes([kind]) + data.ljust(size, b"\0")
        else:
            head += bytes([kind]) + (at + len(tail)).to_bytes(8, "little")[:size]
            tail += data
    total = at + len(tail)
    return (
        struct.pack(form, len(values)) + total.to_bytes(8, "little")[:size] + head + tail
        if (large or total < 0x10000)
        else bytes(0x10000)
    )


def _document(value: Any) -> bytes:
    kind, data = _written(value)
    return bytes([kind]) + data


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=200)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
documents = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(texts, inner, max_size=8),
    max_leaves=30,
)


@settings(max_examples=200)
@given(documents)
def test_c66_any_document_comes_back(document: Any) -> None:
    assert json.loads(binary.text(_document(document))) == document


@pytest.mark.parametrize(
    "document",
    [
        18446744073709551615,
        -9223372036854775808,
        ["x" * 127, "x" * 128, "x" * 16384],
        {"k" * 300: [1, 70000, 2**40, -1], "": {}},
        ["y" * 70000, 70000, {"a": "z" * 70000}],
        list(range(40000)),
        {f"key {n}": n * 1000 for n in range(5000)},
    ],
    ids=["greatest", "least", "lengths", "keys", "large", "many", "members"],
)
def test_c66_big_numbers_and_containers_beyond_64_kb(document: Any) -> None:
    assert json.loads(binary.text(_document(document))) == document


def test_c66_a_null_in_json_is_text_and_one_in_sql_is_none() -> None:
    assert binary.text(_document(None)) == "null"
    assert binary.text(_document({"a": None})) == '{"a": null}'


def _nested(levels: int) -> bytes:
    data, kind = b"\0\0\4\0", 2
    for _ in range(levels - 1):
        data, kind = struct.pack("<HHBH", 1, 7 + len(data), kind, 7) + data, 2
    return bytes([kind]) + data


def test_c66_as_deep_as_mysql_allows_and_deeper_by_name() -> None:
    """MySQL itself refuses more than 100 levels; a log that has 1000 is broken, and breaks nothing else."""
    assert binary.text(_nested(100)) == "[" * 100 + "]" * 100
    with pytest.raises(BrokenLog, match="nested too deeply"):
        binary.text(_nested(1000))
