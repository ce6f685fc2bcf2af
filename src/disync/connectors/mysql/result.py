"""A statement's rows in the format `pgcopy`, straight from the server's packets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from disync.connectors.mysql import connection
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.wire import Wire
from disync.model.errors import Unreachable
from disync.native.columns import Columns, Unserved
from disync.native.packets import Broken
from disync.native.results import ResultRows

QUERY = 0x03


class Result:
    """`keys` are the places of columns that are kept of the last row (`rows.last`), as the server wrote them."""

    def __init__(self, session: Session, statement: str, columns: Columns, keys: Sequence[int]) -> None:
        self._session = session
        session.command(QUERY, statement.encode())
        self._wire = Wire(session, connection.ANSWER_SECONDS)
        head = self._wire.packet()
        if head[:1] == b"\xff":
            raise session.error_in(head)
        if not head or not 0 < head[0] < 0xFB:
            raise Unreachable(f"MySQL answered a query with something else than rows: {head[:8].hex(' ')}.")
        width = head[0] if len(head) == 1 else int.from_bytes(head[1:], "little")
        while self._wire.packet()[:1] != b"\xfe":
            pass  # a column's description: what it says is known
        self.rows = ResultRows(self._wire.packets, columns, width, keys)

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
