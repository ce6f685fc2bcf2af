"""One table of a sink: takes batches, and puts what they come to into the table, set by set, inside a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg

from disync.connectors.postgres import sql
from disync.connectors.postgres.catalog import Target, describe
from disync.connectors.postgres.connection import Connection, cannot_be_held, of_the_row, reason, reason_of_row
from disync.connectors.postgres.copying import Copying
from disync.connectors.postgres.destination import Destination
from disync.connectors.postgres.mapping import Mapping, changes_in
from disync.connectors.postgres.merging import Merging, copy_rows
from disync.connectors.postgres.stages import Stages
from disync.model.data import Batch, Dirty, Position, Table
from disync.model.errors import BadConfig, DirtyLimit, Unreachable
from disync.native import rows
from disync.native.fold import Fold

LOOKED_FOR = 1000
"""Beyond what a task allows: refused rows are found one by one, which takes a millisecond or two for each."""


class Lane:
    """Changes wait here until `apply`, which folds, stages and merges them. A full load is sent straight in as it
    comes, and kept until the server has taken it (`pause`): what it refuses is found row by row.

    The caller owns the transaction. What a failed `apply` leaves is for the caller to roll back. Between `take` and
    `pause` nothing else can be asked on the connection.
    """

    def __init__(
        self,
        connection: Connection,
        target: Target,
        table: Table,
        destination: Destination,
        stages: Stages,
        counts: bool,
    ) -> None:
        """`counts`: whether the server says exactly how many rows a statement has put."""
        self._connection = connection
        self._target = target
        self._ignore = destination.ignore
        self._allowed = destination.dirty
        self._counts = counts and destination.counts
        self.mapping = Mapping(table, target, destination.append)
        self._copying = Copying(connection, sql.copy_in(target.relation, self.mapping.columns))
        self._loads: list[bytes] = []
        self._sent = 0
        self._refused: list[bytes] = []
        self._changes = self._folder()
        self._dirty: list[Dirty] = []
        self._position = Position("")
        self._merging = Merging(connection, target, self.mapping, stages, self._require_put)
        self._overlaps = False

    def take(self, batch: Batch, sequence: int, now_ms: int) -> int:
        """Take a batch that has this lane's table; returns the sequence number after it."""
        self._position = batch.position
        mapped = self.mapping.rows(batch, sequence, now_ms)
        if self.mapping.append or batch.ops is None:
            if self._changes:
                self._dirty += self.apply()
            self._dirty += mapped.refused
            self._loads.append(mapped.rows)
            if not self._overlaps:
                self._copying.send(mapped.rows)
                self._sent += mapped.number
            return sequence + changes_in(batch.ops) if batch.ops else sequence + batch.count
        if self._changes is None:
            raise self._without_key(batch.table)
        if self._loads or self._refused:
            self._dirty += self.apply()
        self._dirty += mapped.refused
        self._take(self._changes, mapped.rows, mapped.ops)
        return sequence

    @property
    def waits(self) -> bool:
        """Whether there is something for `apply` to do, or to tell."""
        return bool(self._loads or self._refused or self._changes or self._dirty)

    def pause(self) -> None:
        """End what is being sent, so that something else can be asked. Where keys were there already, rows are merged
        from now on."""
        loads, self._loads = self._loads, []
        sent, self._sent = self._sent, 0
        error = self._copying.end()
        if error is not None:
            self._overlaps = bool(self.mapping.keys) and isinstance(error, psycopg.errors.UniqueViolation)
        if error is not None or self._overlaps:
            self._refused += loads
        elif sent:
            self._require_put(sent, self._copying.taken)

    def abandon(self) -> None:
        self._copying.abandon()

    def apply(self) -> list[Dirty]:
        """Put everything that waits into the table; returns what was refused."""
        self.pause()
        refused, self._refused = self._refused, []
        changes, self._changes = self._changes, self._folder()
        if changes is not None:
            for load in refused:
                self._take(changes, load, None)
        elif refused:
            self._each(b"".join(refused), self._copy)
        if changes:
            self._merging.begin(len(changes))
            self._each(changes.gone(), self._merging.delete, self.mapping.keys)
            self._each(changes.live(new=False), self._merging.replace)
            self._each(changes.live(new=True), self._merging.add)
        dirty, self._dirty = self._dirty, []
        return dirty

    def _folder(self) -> Fold | None:
        mapping = self.mapping
        return Fold(len(mapping.columns), mapping.key_places, mapping.compared, self._ignore) if mapping.keys else None

    def _without_key(self, table: Table) -> BadConfig:
        if table.keys:
            return BadConfig(
                f"The key of {table.name} is ({', '.join(table.keys)}), which {self._target.relation} does not keep "
                "unique. Give it that primary key and start the task again."
            )
        return BadConfig(
            f"Changes of {table.name} cannot be repeated, as it has no key. Give it a primary key, and have it loaded "
            "again (RetryDISyncTables) if rows have been equal in that; or name the columns that tell its rows apart "
            "(DefinePrimaryKey of tableMappingRule); or set `writeMode` to insert, which appends every change as a row."
        )

    def _take(self, changes: Fold, lines: bytes, ops: bytes | None) -> None:
        for row in changes.take(lines, ops):
            self._refuse(row, f"column {self.mapping.keys[0]}: a key must not be null")

    def _refuse(self, row: bytes, why: str, columns: Sequence[str] | None = None) -> None:
        self._dirty.append(self.mapping.refused(row, why, self._position, columns or self.mapping.columns))
        if self._allowed is not None and len(self._dirty) > self._allowed + LOOKED_FOR:
            raise DirtyLimit(
                f"Very many rows of {self.mapping.table.name} are refused ({len(self._dirty)} and more at once), and "
                f"errorLimit.record allows {self._allowed}; the last: {why}. None of them was written or kept: mend "
                "the rows or the target and start the task again, and they come once more."
            )

    def _each(self, lines: bytes, put: Callable[[bytes], None], keys: Sequence[str] | None = None) -> None:
        """Put rows, all at once if the server takes them all, else halves of them until the refused ones are found.
        `keys`: the columns that they have, where they are but the keys of rows that are to go."""
        if not lines:
            return
        try:
            with self._connection.transaction():
                put(lines)
        except psycopg.Error as error:
            if not of_the_row(error):
                raise
            number = rows.count(lines)
            if self.mapping.keys and self._merging.stage():
                self._each(lines, put, keys)
            elif number > 1:
                middle = rows.cut(lines, number // 2)
                self._each(lines[:middle], put, keys)
                self._each(lines[middle:], put, keys)
            elif keys is None:
                self._require_known(error)
                self._refuse(lines, reason_of_row(error))
            elif not cannot_be_held(error):  # and so is not there
                self._refuse(lines, f"it cannot be deleted: {reason(error)}", keys)

    def _require_known(self, error: psycopg.Error) -> None:
        """An index that has come since we looked ties rows that were taken for free: they may have come in an order, or
        over several sessions, that it does not allow. Whoever looks again writes them so that it holds."""
        if not isinstance(error, psycopg.errors.UniqueViolation):
            return
        target = describe(self._connection, self._target.relation)
        if target is not None and target.unique != self._target.unique:
            raise Unreachable(
                f"{self._target.relation} has other unique indexes than when this run looked: {reason(error)}. It "
                "starts again, and writes the table by these."
            )

    def _copy(self, lines: bytes) -> None:
        taken = copy_rows(self._connection, self._target.relation, self.mapping.columns, lines)
        self._require_put(rows.count(lines), taken)

    def _require_put(self, sent: int, taken: int) -> None:
        """No constraint refuses a row without a word: it is a trigger or a rule that does."""
        if self._counts and 0 <= taken < sent:
            raise BadConfig(
                f"A trigger or a rule of {self._target.relation} keeps rows out: of {sent} that were sent it took "
                f"{taken}. None of them was committed: mend it and start the task again, and they come once more; or, "
                "if it is meant so, set `suppressedRows` of the writer to allow."
            )
