"""Rows on their way straight into a table: sent as they come, so that the server is at work while more are read."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import psycopg
from psycopg.rows import TupleRow

from disync.connectors.postgres import fields
from disync.connectors.postgres.connection import Connection, of_the_row

PIECE = 1 << 18
"""Bytes that are handed to the driver at once: it holds a copy of them until the server has taken them."""

_MARK, _TAKEN, _BACK = b"SAVEPOINT disync_copy", b"RELEASE disync_copy", b"ROLLBACK TO disync_copy"


class Copying:
    """One COPY after the other, each inside a savepoint of the caller's transaction: it takes all rows, or none.

    While one is open, nothing else can be asked on its connection.
    """

    def __init__(self, connection: Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement.encode()
        self._open: ExitStack | None = None
        self._copy: psycopg.Copy | None = None
        self.taken = 0
        """How many rows the server says that it has put into the table with the last one that it took."""

    def send(self, lines: bytes) -> None:
        if self._copy is None:
            # By hand: the driver would make an outermost `transaction` one that commits.
            self._connection.execute(_MARK)
            self._open = ExitStack()
            cursor = self._open.enter_context(self._connection.cursor())
            self._open.callback(self._count, cursor)  # between the copy's end and the cursor's
            self._copy = self._open.enter_context(cursor.copy(self._statement))
            self._copy.write(fields.HEADER)
        view = memoryview(lines)
        for at in range(0, len(view), PIECE):
            self._copy.write(view[at : at + PIECE])

    def end(self) -> psycopg.Error | None:
        """Wait until the server has taken all that was sent. The error, if it has refused a row: nothing was taken."""
        if self._copy is None or self._open is None:
            return None
        copy, opened, self._copy, self._open = self._copy, self._open, None, None
        try:
            copy.write(fields.TRAILER)
            opened.close()
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                opened.close()
            if not of_the_row(error):
                raise
            self._connection.execute(_BACK)
            return error
        self._connection.execute(_TAKEN)
        return None

    def _count(self, cursor: psycopg.Cursor[TupleRow]) -> None:
        self.taken = cursor.rowcount

    def abandon(self) -> None:
        """Take back what was sent, as far as the connection still allows it."""
        if self._open is not None:
            opened, self._copy, self._open = self._open, None, None
            given_up = psycopg.OperationalError("given up")
            with suppress(psycopg.Error):
                opened.__exit__(type(given_up), given_up, None)
