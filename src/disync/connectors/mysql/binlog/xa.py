"""XA transactions: their rows are logged when they are prepared, the decision comes later, in an event of its own."""

from __future__ import annotations

import re

from disync.connectors.mysql.binlog.cursor import Cursor
from disync.connectors.mysql.binlog.errors import BrokenLog

_NAMED = re.compile(r"XA\s+\w+\s+X'(?P<global>[0-9A-F]*)'\s*,\s*X'(?P<branch>[0-9A-F]*)'\s*,\s*(?P<form>\d+)", re.I)

Xid = tuple[str, str, int]
"""(global part, branch, format), both parts as hexadecimal digits"""


def prepared(body: bytes) -> tuple[Xid, bool]:
    """What XA_PREPARE says: which transaction, and whether it is committed at once."""
    cursor = Cursor(body)
    one_phase = cursor.uint(1) != 0
    form, first, second = cursor.uint(4), cursor.uint(4), cursor.uint(4)
    return (cursor.take(first).hex(), cursor.take(second).hex(), form), one_phase


def decided(statement: str) -> Xid:
    """Which transaction XA COMMIT is about, in the form that servers log it in."""
    found = _NAMED.match(statement.lstrip())
    if found is None:
        raise BrokenLog(f"The binary log commits an XA transaction that it does not name: {statement[:80]!r}.")
    return found["global"].lower(), found["branch"].lower(), int(found["form"])
