"""The DataHub wire: every format gives back what was put in, and nothing but Malformed for what is broken."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from decimal import Decimal

import lz4.block
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disync.connectors.datahub.wire import batch, frame, json, protobuf, record, schema
from disync.connectors.datahub.wire.entry import Block, Blocks, Entry, Failed, Records
from disync.connectors.datahub.wire.errors import STATUS, Malformed
from disync.connectors.datahub.wire.schema import Field, Schema

ALL = Schema(tuple(Field(f"f_{name}", name) for name in sorted(schema.TYPES)))
QUICK = settings(max_examples=40, deadline=None, derandomize=True)


def _text(field_type: str) -> st.SearchStrategy[bytes]:
    bounds = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}
    if field_type in bounds:
        edge = 1 << bounds[field_type]
        return st.integers(-edge, edge - 1).map(lambda value: b"%d" % value)
    if field_type == "timestamp":
        return st.integers(-62135798400000000, 253402271999000000).map(lambda value: b"%d" % value)
    if field_type in ("float", "double"):
        width = 32 if field_type == "float" else 64
        return st.floats(width=width, allow_nan=False).map(lambda value: repr(value).encode())
    if field_type == "boolean":
        return st.sampled_from([b"true", b"false"])
    if field_type == "decimal":
        return st.decimals(allow_nan=False, allow_infinity=False).map(lambda value: str(value).encode())
    return st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)


def _entries(of: Schema, least: int = 0, most: int = 12) -> st.SearchStrategy[list[Entry]]:
    texts = st.text(st.characters(codec="utf-8"), max_size=12)
    row = st.tuples(*[st.none() | _text(field.type) for field in of.fields])
    entry = st.builds(Entry, row, st.dictionaries(texts, texts, max_size=3))
    return st.lists(entry, min_size=least, max_size=most)


blobs = st.lists(st.builds(Entry, st.tuples(st.binary(max_size=60))), max_size=8)
wide = Schema(tuple(Field(f"c{i}", "string" if i % 2 else "bigint") for i in range(130)))


@QUICK
@given(_entries(ALL), st.sampled_from(["", "lz4", "zlib"]), st.integers(0, 5))
def test_a_block_gives_back_its_entries(entries: list[Entry], compression: str, version: int) -> None:
    block = batch.encode(entries, ALL, compression, version)
    assert batch.decode(block, ALL) == entries
    assert batch.count(block) == batch.validate(block) == len(entries)
    assert batch.versions(block) == ({version} if entries else set())
    assert batch.versions(batch.restamp(block, 9)) == ({9} if entries else set())
    assert batch.decode(batch.restamp(block, 9), ALL) == entries


@QUICK
@given(blobs, st.integers(0, 9))
def test_blob_blocks_and_cuts(entries: list[Entry], skip: int) -> None:
    block = batch.encode(entries, None)
    assert batch.decode(block, None) == entries
    assert batch.decode(batch.cut(block, skip), None) == entries[skip:]
    assert batch.versions(block) == ({-1} if entries else set())


@settings(max_examples=10, deadline=None, derandomize=True)
@given(_entries(wide, 1, 2))
def test_more_than_64_fields_have_more_groups_of_presence_bits(entries: list[Entry]) -> None:
    assert batch.decode(batch.encode(entries, wide), wide) == entries


@QUICK
@given(_entries(ALL))
def test_rows_are_the_python_values_of_the_entries(entries: list[Entry]) -> None:
    rows = batch.rows(batch.encode(entries, ALL), ALL)
    for entry, row in zip(entries, rows, strict=True):
        for field, text, value in zip(ALL.fields, entry.data, row, strict=True):
            if text is None:
                assert value is None
            elif field.type == "boolean":
                assert value is (text == b"true")
            elif field.type in ("string", "decimal"):
                assert value == text.decode()
            elif field.type in ("float", "double"):
                assert value == float(text)
            else:
                assert value == int(text)


@QUICK
@given(_entries(ALL))
def test_protobuf_and_json_give_back_their_entries(entries: list[Entry]) -> None:
    assert protobuf.decode_put(protobuf.encode_put(entries)) == entries
    assert json.decode_put(json.encode_put(entries, False), False) == entries
    reply = Records("next", 7, [Entry(e.data, e.attributes, sequence=i, cursor="c") for i, e in enumerate(entries)])
    assert protobuf.decode_records(protobuf.encode_records(reply)) == reply
    assert json.decode_records(json.encode_records(reply, False), False) == reply


@QUICK
@given(blobs)
def test_blobs_in_protobuf_and_json(entries: list[Entry]) -> None:
    assert protobuf.decode_put(protobuf.encode_put(entries)) == entries
    assert json.decode_put(json.encode_put(entries, True), True) == entries


def test_the_small_messages_of_protobuf_and_json() -> None:
    named = Entry((b"1",), {}, "3", "00FF", "key")
    assert protobuf.decode_put(protobuf.encode_put([named])) == [named]
    assert json.decode_put(json.encode_put([named], False), False) == [named]
    failed = [Failed(3, "MalformedRecord", "bad"), Failed(70000, "LimitExceeded", "")]
    assert protobuf.decode_put_reply(protobuf.encode_put_reply(failed)) == failed
    assert json.decode_put_reply(json.encode_put_reply(failed)) == failed
    assert protobuf.decode_get(protobuf.encode_get("cursor", 1 << 20)) == ("cursor", 1 << 20)
    assert protobuf.decode_get(b"") == ("", 1)
    blocks = Blocks("n", 5, [Block(b"x" * 300, 5, 1700000000000, "a", "b", 2), Block(b"")], 1 << 40, -1)
    assert protobuf.decode_blocks(protobuf.encode_blocks(blocks)) == blocks
    assert protobuf.decode_binary_put(protobuf.encode_binary_put([b"one", b"", b"x" * 70000])) == [
        b"one",
        b"",
        b"x" * 70000,
    ]


BAD_VALUES = [
    ("tinyint", b"128"),
    ("smallint", b"-32769"),
    ("integer", b"2147483648"),
    ("bigint", b"9223372036854775808"),
    ("bigint", b"1.5"),
    ("bigint", b""),
    ("bigint", b"1_000"),
    ("timestamp", b"253402271999000001"),
    ("double", b"1,5"),
    ("double", b"1_0"),
    ("float", b"1e39"),
    ("boolean", b"yes"),
    ("decimal", b"1.1.1"),
    ("decimal", b"NaN"),
    ("string", b"\xff\xfe"),
]


@pytest.mark.parametrize(("field_type", "text"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_named_and_the_others_are_encoded(field_type: str, text: bytes) -> None:
    one = Schema((Field("id", "bigint"), Field("value", field_type)))
    good, failed = batch.encode_each([Entry((b"1", None)), Entry((b"2", text)), Entry((b"3", None))], one)
    assert len(good) == 2
    assert [(f.index, f.code) for f in failed] == [(1, "MalformedRecord")]
    assert "'value'" in failed[0].message
    with pytest.raises(Malformed) as error:
        batch.encode([Entry((b"1", None)), Entry((b"2", text))], one)
    assert error.value.index == 1


def test_null_where_it_must_not_be_and_the_wrong_number_of_fields() -> None:
    strict = Schema((Field("id", "bigint"), Field("name", "string", notnull=True)))
    _, failed = batch.encode_each([Entry((b"1", None)), Entry((b"1",))], strict)
    assert "'name' must not be null" in failed[0].message
    assert "1 fields, the schema 2" in failed[1].message


def test_records_from_before_a_field_was_appended_get_nulls() -> None:
    old = Schema(ALL.fields[:3])
    entries = [Entry((b"1", b"true", b"1.10"))]
    block = batch.encode(entries, old, version=0)
    assert batch.decode(block, ALL)[0].data == (b"1", b"true", b"1.10") + (None,) * 7
    assert batch.decode(block, ALL, {0: old}) == entries
    with pytest.raises(Malformed, match="10 fields, the schema 3"):
        batch.decode(batch.encode([Entry((None,) * 10)], ALL), old)


DECODERS: list[Callable[[bytes], object]] = [
    lambda data: batch.decode(data, ALL),
    lambda data: batch.rows(data, ALL),
    lambda data: batch.decode(data, None),
    batch.versions,
    batch.validate,
    frame.unwrap,
    protobuf.decode_put,
    protobuf.decode_put_reply,
    protobuf.decode_get,
    protobuf.decode_records,
    protobuf.decode_binary_put,
    protobuf.decode_blocks,
    lambda data: json.decode_put(data, False),
    lambda data: json.decode_put(data, True),
    lambda data: json.decode_records(data, False),
    json.decode_put_reply,
    schema.parse,
]


def _only_malformed(data: bytes) -> int:
    accepted = 0
    for decode in DECODERS:
        try:
            decode(data)
            accepted += 1
        except Malformed:
            pass
    return accepted


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_random_bytes_raise_malformed_and_nothing_else(data: bytes) -> None:
    assert _only_malformed(data) <= len(DECODERS)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(_entries(ALL, 1, 2), st.data())
def test_altered_messages_raise_malformed_and_nothing_else(entries: list[Entry], data: st.DataObject) -> None:
    whole = [protobuf.encode_put(entries), json.encode_put(entries, False), frame.wrap(b"abc")]
    message = bytearray(data.draw(st.sampled_from(whole)))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    _only_malformed(bytes(message[: data.draw(st.integers(0, len(message)))]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_entries(ALL, 1, 2), st.data())
def test_altered_records_under_a_right_checksum(entries: list[Entry], data: st.DataObject) -> None:
    """The checksum only guards the way: whoever makes a block may make a wrong one."""
    records, _ = batch.encode_each(entries, ALL)
    body = bytearray(b"".join(records))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from([0, 1, 7, 0x80, 0xFF]))
    block = bytearray(batch.pack([bytes(body)], ""))
    block[22:26] = len(records).to_bytes(4, "little")
    _only_malformed(bytes(block))


def test_every_way_a_block_can_be_cut_short_is_found() -> None:
    block = batch.encode([Entry((b"1", b"true", b"1.1", None, None, None, None, b"a long text" * 3, None, None))], ALL)
    for end in range(len(block)):
        with pytest.raises(Malformed):
            batch.decode(block[:end], ALL)
    for at in range(26, len(block)):
        altered = bytearray(block)
        altered[at] ^= 0xFF
        with pytest.raises(Malformed, match="checksum"):
            batch.validate(bytes(altered))


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    huge = bytes(50_000_000)
    for encoding, data in (("lz4", lz4.block.compress(huge, store_size=False)), ("zlib", zlib.compress(huge))):
        with pytest.raises(Malformed, match="not within"):
            frame.decompress(data, encoding, len(huge), 1_000_000)
        with pytest.raises(Malformed):
            frame.decompress(data, encoding, 1_000_000, 1_000_000)  # the raw size lies
    with pytest.raises(Malformed, match="are allowed"):
        batch.validate(batch.pack([huge]), 1_000_000)
    with pytest.raises(Malformed):
        batch.decode(batch.pack([huge] * 2), ALL)


def test_compression_there_and_back() -> None:
    data = b"to be or not to be " * 50
    for encoding in ("", "lz4", "zlib", "deflate"):
        packed = frame.compress(data, encoding)
        assert frame.decompress(packed, encoding, len(data), len(data)) == data
    with pytest.raises(Malformed):
        frame.compress(data, "br")


def test_frames() -> None:
    assert frame.unwrap(frame.wrap(b"payload")) == b"payload"
    for altered in (b"XHUB" + frame.wrap(b"x")[4:], frame.wrap(b"x") + b"y", frame.wrap(b"x")[:-1] + b"y"):
        with pytest.raises(Malformed):
            frame.unwrap(altered)


def test_schema_texts() -> None:
    text = '{"fields":[{"name":"Id","type":"BIGINT","notnull":true,"comment":"key"},{"name":"v","type":"string"}]}'
    parsed = schema.parse(text)
    assert parsed == Schema((Field("Id", "bigint", True, "key"), Field("v", "string")))
    assert schema.parse(schema.dump(parsed)) == parsed
    assert schema.schema_of(schema.columns(parsed)) == parsed
    for wrong in ("", "[]", "{}", '{"fields":[]}', '{"fields":[{"name":"a","type":"text"}]}'):
        with pytest.raises(Malformed):
            schema.parse(wrong)
    with pytest.raises(Malformed, match="not unique"):
        schema.parse('{"fields":[{"name":"a","type":"string"},{"name":"A","type":"string"}]}')


def test_bare_numbers_and_booleans_in_json_are_taken() -> None:
    body = b'{"Action":"pub","Records":[{"Data":[1,true,null,"x",1.5]},{"Data":"notalist"}]}'
    first, second = json.decode_put(body, False)
    assert isinstance(first, Entry) and first.data == (b"1", b"true", None, b"x", b"1.5")
    assert isinstance(second, Failed) and second.index == 1


def test_decimals_keep_their_digits() -> None:
    digits = "12345678901234567890123456789012345.123456789012345678901234567890"
    block = batch.encode([Entry((digits.encode(),))], Schema((Field("d", "decimal"),)))
    assert batch.rows(block, Schema((Field("d", "decimal"),))) == [(digits,)]
    assert Decimal(digits) == Decimal(batch.decode(block, Schema((Field("d", "decimal"),)))[0].data[0].decode())


def test_every_code_has_an_error_status() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())
    assert record.BLOB_VERSION == -1
