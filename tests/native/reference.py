"""What folding changes means, in plain Python: slow, and short enough to be checked by reading."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Fields = tuple[bytes | None, ...]
Key = tuple[Any, ...]


def packed(row: Fields) -> bytes:
    """A row in the format `pgcopy`."""
    return struct.pack("!h", len(row)) + b"".join(
        struct.pack("!i", -1) if field is None else struct.pack("!i", len(field)) + field for field in row
    )


def compared(field: bytes, how: str) -> Any:
    """What of a key's field makes it another one."""
    if how == "numeric":
        return field[:6] + field[8:]  # without the digits that are shown behind the point
    if how == "float":
        return bytes(len(field)) if not any(field[1:]) and not field[0] & 0x7F else field
    return field


@dataclass(frozen=True, slots=True)
class State:
    """The last that was heard of a key. `new`: nothing but inserts made its row; `moved`: it came from another key."""

    row: Fields
    live: bool
    new: bool = False
    moved: bool = False


class PlainFold:
    """As `disync.native.fold.Fold`, of rows that are tuples of fields."""

    def __init__(self, keys: Sequence[int], how: Sequence[str], ignore: bool) -> None:
        self._keys, self._how, self._ignore = keys, how, ignore
        self._states: dict[Key, State] = {}

    def __len__(self) -> int:
        return len(self._states)

    def key(self, row: Fields) -> Key | None:
        """None where a part of it is null."""
        found = [row[place] for place in self._keys]
        parts = [compared(field, how) for field, how in zip(found, self._how, strict=True) if field is not None]
        return tuple(parts) if len(parts) == len(found) else None

    def take(self, changes: Sequence[tuple[str, Fields]]) -> list[Fields]:
        """Fold (op, row) in; returns the rows that have a null in their key."""
        refused = []
        for op, before, row in _steps(changes):
            key = self.key(row)
            if op in ("B", "D"):
                self._leave(row, key, op == "B")
                continue
            moved = before is not None and self.key(before) != key
            if before is not None and moved:
                self._leave(before, self.key(before), True)
            if key is None:
                refused.append(row)
            else:
                self._arrive(row, key, op == "I", moved)
        return refused

    def gone(self) -> list[Fields]:
        """Keys, as they were in the last row that had them."""
        rows = [state.row for state in self._states.values() if not state.live]
        return [tuple(row[place] for place in self._keys) for row in rows]

    def live(self, new: bool) -> list[Fields]:
        return [state.row for state in self._states.values() if state.live and state.new is new]

    def _arrive(self, row: Fields, key: Key, inserted: bool, moved: bool) -> None:
        state = self._states.get(key)
        new = self._ignore and inserted and (state is None or state.new)
        if new and state is not None:
            return  # where conflicts are ignored the first insert counts
        self._put(key, State(row, True, new, moved))

    def _leave(self, row: Fields, key: Key | None, updated: bool) -> None:
        if key is None:
            return  # a row without a key was never in the target
        state = self._states.get(key)
        if updated and state is not None and state.live and state.moved and state.row != row:
            return  # another row has taken this key already
        self._put(key, State(row, False))

    def _put(self, key: Key, state: State) -> None:
        self._states.pop(key, None)  # states stand in the order of their last change
        self._states[key] = state


def _steps(changes: Sequence[tuple[str, Fields]]) -> Iterator[tuple[str, Fields | None, Fields]]:
    """(op, the row before an update, row); the two rows of an update are one step."""
    place = 0
    while place < len(changes):
        op, row = changes[place]
        if op == "B" and place + 1 < len(changes) and changes[place + 1][0] == "U":
            place += 1
            yield "U", row, changes[place][1]
        else:
            yield op, None, row
        place += 1
