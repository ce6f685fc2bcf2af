"""The records of one topic, in the fastest format that both ends have. Whatever it is, blocks pass here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from disync.connectors.datahub.client import Client
from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.layout import Layout
from disync.connectors.datahub.wire import batch, json, protobuf
from disync.connectors.datahub.wire.entry import Block, Blocks, Entry, Failed, Records
from disync.connectors.datahub.wire.errors import Malformed
from disync.model.errors import Unreachable

BATCH = "application/x-binary"
PROTOBUF = "application/x-protobuf"
_REFUSALS = frozenset({"", "InvalidOperation", "OperationDenied", "InvalidUriSpec", "InvalidParameter"})
_T = TypeVar("_T")


class Transfer:
    """Gets and puts blocks. A format that the service refuses before it has ever worked is not tried again."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._chosen = {"get": 0, "put": 0}
        self._proven: set[str] = set()

    def get(self, shard: str, cursor: str, limit: int) -> Blocks:
        """Records from a cursor on, about `limit` of them."""
        ways = (self._get_blocks, self._get_protobuf, self._get_json)
        return self._first("get", [partial(way, shard, cursor, limit) for way in ways])

    def put(self, shard: str, blocks: Sequence[bytes]) -> list[Failed]:
        """Store the records of these blocks, in their order; those that the service names as not taken."""
        ways = (self._put_blocks, self._put_protobuf, self._put_json)
        return self._first("put", [partial(way, shard, blocks) for way in ways])

    def _first(self, what: str, ways: Sequence[Callable[[], _T]]) -> _T:
        start = self._chosen[what]
        for at in range(start, len(ways)):
            try:
                answer = ways[at]()
            except Rejected as error:
                last = at + 1 == len(ways)
                if what in self._proven or last or error.reason not in _REFUSALS:
                    raise
            except Malformed as error:
                raise Unreachable(f"DataHub's answer about {self._layout.name} cannot be read.") from error
            else:
                self._chosen[what] = at
                self._proven.add(what)
                return answer
        raise AssertionError("the last way returns or raises")

    def _get_blocks(self, shard: str, cursor: str, limit: int) -> Blocks:
        message = protobuf.encode_get(cursor, limit)
        return protobuf.decode_blocks(self._client.records("sub", self._layout.name, shard, BATCH, message))

    def _get_protobuf(self, shard: str, cursor: str, limit: int) -> Blocks:
        message = protobuf.encode_get(cursor, limit)
        answer = self._client.records("sub", self._layout.name, shard, PROTOBUF, message)
        return self._as_blocks(protobuf.decode_records(answer))

    def _get_json(self, shard: str, cursor: str, limit: int) -> Blocks:
        body = json.encode_get(cursor, limit)
        answer = self._client.json_records(self._layout.name, shard, body)
        return self._as_blocks(json.decode_records(answer, self._layout.schema is None))

    def _as_blocks(self, records: Records) -> Blocks:
        """One block of the entries: what the other formats deliver, in the form that everything here works on."""
        entries = records.entries
        if not entries:
            return Blocks(records.next_cursor, records.start_sequence, [])
        if self._layout.schema is not None and len(entries[0].data) != len(self._layout.schema.fields):
            self._layout.load()  # a field was appended since we looked
        data = batch.encode(entries, self._layout.schema, "", self._layout.shape.version)
        block = Block(data, entries[0].sequence, entries[0].system_time, next_cursor=records.next_cursor)
        return Blocks(records.next_cursor, records.start_sequence, [block])

    def _put_blocks(self, shard: str, blocks: Sequence[bytes]) -> list[Failed]:
        self._client.records("pub", self._layout.name, shard, BATCH, protobuf.encode_binary_put(blocks))
        return []

    def _put_protobuf(self, shard: str, blocks: Sequence[bytes]) -> list[Failed]:
        message = protobuf.encode_put(self._entries(blocks, ""))
        return protobuf.decode_put_reply(self._client.records("pub", self._layout.name, shard, PROTOBUF, message))

    def _put_json(self, shard: str, blocks: Sequence[bytes]) -> list[Failed]:
        body = json.encode_put(self._entries(blocks, shard), self._layout.schema is None)
        return json.decode_put_reply(self._client.json_records(self._layout.name, "", body))

    def _entries(self, blocks: Sequence[bytes], shard: str) -> list[Entry]:
        entries = [entry for block in blocks for entry in batch.decode(block, self._layout.schema)]
        return [Entry(entry.data, entry.attributes, shard) for entry in entries] if shard else entries
