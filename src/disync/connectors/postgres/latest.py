"""What is left of many changes: the last state of every key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from disync.connectors.postgres.mapping import AFTER, BEFORE, DELETED, INSERTED, Key, Row


@dataclass(slots=True)
class State:
    """`live`: the row is there at the end. `new`: nothing but inserts made it. `moved`: it came from another key."""

    row: Row
    live: bool
    new: bool = False
    moved: bool = False


class Latest:
    """Folds changes by key. Deletes of what remains, then upserts, give the same table as all changes one by one.

    Keys are compared as the target compares them. States stay in the order of their last change.
    """

    def __init__(self, ignore: bool) -> None:
        self._states: dict[Key, State] = {}
        self._ignore = ignore

    def __len__(self) -> int:
        return len(self._states)

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Fold rows in; returns those that can be no row of the target."""
        refused: list[Row] = []
        for place, row in enumerate(rows):
            if row.op in (BEFORE, DELETED):
                self._leave(row, rows[place + 1] if place + 1 < len(rows) else None)
            elif row.reason is not None or row.key is None:
                refused.append(row)
            else:
                before = rows[place - 1] if row.op == AFTER and place > 0 and rows[place - 1].op == BEFORE else None
                self._arrive(row, row.key, before is not None and before.key != row.key)
        return refused

    def gone(self) -> list[Row]:
        return [state.row for state in self._states.values() if not state.live]

    def live(self, new: bool) -> list[Row]:
        """Rows that are there at the end: where conflicts are ignored, those that inserts alone made and the others."""
        return [state.row for state in self._states.values() if state.live and state.new is new]

    def _arrive(self, row: Row, key: Key, moved: bool) -> None:
        state = self._states.pop(key, None)
        new = self._ignore and row.op == INSERTED and (state is None or state.new)
        if new and state is not None:
            self._states[key] = state  # the second insert of a key is the one to be ignored
        else:
            self._states[key] = State(row, True, new, moved)

    def _leave(self, row: Row, after: Row | None) -> None:
        """A key the target cannot hold was never there; one that its update keeps is overwritten, not deleted."""
        if row.key is None:
            return
        if row.op == BEFORE and after is not None and after.op == AFTER and after.key == row.key:
            return
        state = self._states.get(row.key)
        another = state is not None and state.live and state.moved and state.row.data != row.data
        if row.op == BEFORE and row.reason is None and another:
            # Another row has moved to this key before its holder left: `id = id + 1` in ascending order.
            return
        self._states.pop(row.key, None)
        self._states[row.key] = State(row, False)
