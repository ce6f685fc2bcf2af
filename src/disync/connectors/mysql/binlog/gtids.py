"""What events say of global transaction ids: which transaction begins, and which ones lie in the files before."""

from __future__ import annotations

from uuid import UUID

from disync.connectors.mysql.binlog.cursor import Cursor
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind

BEGINS: frozenset[int] = frozenset({Kind.GTID, Kind.ANONYMOUS_GTID, Kind.GTID_TAGGED, Kind.MARIA_GTID})
"""Kinds with which a transaction begins."""

HEADS = frozenset({Kind.PREVIOUS_GTIDS, Kind.MARIA_GTID_LIST})
"""Kinds that tell, at the beginning of a file, what is in the files before it."""

_STANDALONE, _PREPARED = 0x01, 0x40

_LOGICAL_CLOCK = 2
_MICROS = 7
_OTHER_COMMIT = 1 << 55

_UUID, _GNO, _TAG, _IMMEDIATE, _ORIGINAL = 1, 2, 3, 6, 7
"""Fields of GTID_TAGGED: all others up to the last of these are numbers."""


def of(event: Event) -> str:
    """The GTID of the transaction that begins with this event, with its moment where that is the same on every server
    (`gtid.py`); "" for one that has none."""
    if event.kind == Kind.MARIA_GTID:
        return f"{maria(event)[0]}@{event.time}"
    if event.kind == Kind.GTID_TAGGED:
        return _tagged(event.body)
    return _plain(event.body) if event.kind == Kind.GTID else ""


def maria(event: Event) -> tuple[str, bool]:
    """(domain-server-sequence, whether the event stands for a single statement without BEGIN and COMMIT)"""
    cursor = Cursor(event.body)
    sequence, domain, flags = cursor.uint(8), cursor.uint(4), cursor.uint(1)
    return f"{domain}-{event.server}-{sequence}", bool(flags & _STANDALONE)


def is_prepared(event: Event) -> bool:
    """Whether MariaDB begins an XA transaction here that only prepares. (MySQL says so in a statement.)"""
    return event.kind == Kind.MARIA_GTID and len(event.body) > 12 and bool(event.body[12] & _PREPARED)


def _plain(body: bytes) -> str:
    cursor = Cursor(body)
    cursor.skip(1)
    gtid = f"{UUID(bytes=cursor.take(16))}:{cursor.uint(8)}"
    if cursor.left < 1 + 16 + _MICROS or cursor.uint(1) != _LOGICAL_CLOCK:
        return gtid  # MySQL 5.7 does not say when the transaction was made
    cursor.skip(16)
    moment = cursor.uint(_MICROS)
    if moment & _OTHER_COMMIT:  # the server got the transaction from another one: that one's moment follows
        moment = cursor.uint(_MICROS)
    return f"{gtid}@{moment}"


def _tagged(body: bytes) -> str:
    """The form of MySQL 8.3: numbered fields, of which later servers may add more; numbers of a length that their first
    byte tells."""
    cursor = Cursor(body)
    version, size = _number(cursor), _number(cursor)
    if version != 1 or size > len(body):
        raise NotServed(f"The log holds GTIDs in a form that is not known ({version}).")
    _number(cursor)  # the last field that must be known
    texts: dict[int, str] = {}
    numbers: dict[int, int] = {}
    while cursor.left and (field := _number(cursor)) <= _ORIGINAL:
        if field == _UUID:
            texts[field] = str(UUID(bytes=bytes(_byte(cursor) for _ in range(16))))
        elif field == _TAG:
            texts[field] = cursor.text(_number(cursor))
        else:
            numbers[field] = _number(cursor)
    if not {_UUID, _TAG} <= texts.keys() or _GNO not in numbers:
        raise BrokenLog("The binary log has a GTID that is not whole.")
    source = f"{texts[_UUID]}:{texts[_TAG]}" if texts[_TAG] else texts[_UUID]
    moment = numbers.get(_ORIGINAL, numbers.get(_IMMEDIATE))
    gtid = f"{source}:{numbers[_GNO] >> 1}"  # a number that might be negative has its sign in the last bit
    return f"{gtid}@{moment}" if moment else gtid


def _number(cursor: Cursor) -> int:
    """As many 1 bits as the first byte ends with, so many bytes follow; then a 0 bit, then the number."""
    first = cursor.uint(1)
    more = 0
    while more < 8 and first >> more & 1:
        more += 1
    if more == 8:
        return cursor.uint(8)
    return (first | cursor.uint(more) << 8) >> (more + 1)


def _byte(cursor: Cursor) -> int:
    value = _number(cursor)
    if value > 0xFF:
        raise BrokenLog("The binary log has a GTID that is not whole.")
    return value


def head(event: Event) -> str:
    """The state at the beginning of a file, as `gtid.py` reads it."""
    return _maria_list(event.body) if event.kind == Kind.MARIA_GTID_LIST else _previous(event.body)


def _maria_list(body: bytes) -> str:
    cursor = Cursor(body)
    found = []
    for _ in range(cursor.uint(4) & 0x0FFFFFFF):
        domain, server, sequence = cursor.uint(4), cursor.uint(4), cursor.uint(8)
        found.append(f"{domain}-{server}-{sequence}")
    return ",".join(found)


def _previous(body: bytes) -> str:
    cursor = Cursor(body)
    packed = cursor.uint(8)
    form = packed >> 56
    if form not in (0, 1):
        raise NotServed(f"The log holds a set of GTIDs in a form that is not known ({form}).")
    count = (packed >> 8) & ((1 << 48) - 1) if form else packed
    found = []
    for _ in range(count):
        source = str(UUID(bytes=cursor.take(16)))
        if form and (tag := cursor.text(_number(cursor))):
            source = f"{source}:{tag}"
        for _ in range(cursor.uint(8)):
            first, stop = cursor.uint(8), cursor.uint(8)
            found.append(f"{source}:{first}-{stop - 1}")
    return ",".join(found)
