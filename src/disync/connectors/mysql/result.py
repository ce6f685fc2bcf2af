"""A statement's rows in the format `pgcopy`, straight from the server's packets.

The statement is prepared, as the rows of prepared ones come as they lie and not as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from disync.connectors.mysql import connection, packed
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.wire import Wire
from disync.model.errors import Unreachable
from disync.native.columns import Columns, Unserved
from disync.native.packets import Broken
from disync.native.results import ResultRows

PREPARE, EXECUTE, CLOSE = 0x16, 0x17, 0x19
_ONCE = (1).to_bytes(4, "little")


class Result:
    """`keys` are the places of columns that are kept of the last row (`rows.last`), as the server wrote them."""

    def __init__(self, session: Session, statement: str, columns: Columns, keys: Sequence[int]) -> None:
        self._session = session
        head = self._command(PREPARE, statement.encode())
        if head[0] or len(head) < 12:
            raise Unreachable(f"MySQL answered a statement in a way that is not known: {head[:8].hex(' ')}.")
        self._number = head[1:5]
        self._definitions()
        head = self._command(EXECUTE, self._number + b"\0" + _ONCE)
        if not 0 < head[0] < 0xFD:
            raise Unreachable(f"MySQL answered a query with something else than rows: {head[:8].hex(' ')}.")
        widths = bytes(packed.width(definition) for definition in self._definitions())
        self.rows = ResultRows(self._wire.packets, columns, widths, keys)

    def _command(self, command: int, data: bytes) -> bytes:
        """The first packet of the answer."""
        self._session.command(command, data)
        self._wire = Wire(self._session, connection.ANSWER_SECONDS)
        head = self._wire.packet()
        if head[:1] == b"\xff":
            raise self._session.error_in(head)
        return head or b"\xff"

    def _definitions(self) -> list[bytes]:
        found = []
        while (definition := self._wire.packet())[:1] != b"\xfe":
            found.append(definition)
        return found

    def read(self, most_rows: int, most_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Rows and their number, in pieces of about this size; ends with the result."""
        rows = self.rows
        try:
            while rows.ending is None:
                while not rows.advance(most_rows, most_bytes):
                    self._wire.more(None)
                count = rows.count
                yield rows.take(), count
        except (Broken, Unserved) as error:
            raise Unreachable(f"MySQL's answer cannot be read: {error}.") from error
        if rows.ending[:1] == b"\xff":
            raise self._session.error_in(rows.ending)
        self._session.command(CLOSE, self._number)
