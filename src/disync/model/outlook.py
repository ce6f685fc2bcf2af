"""What can be told of tables before a run: how the source declares them, and what a writer would find or make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from disync.model.data import Table


@dataclass(frozen=True, slots=True)
class Seen:
    """A table as the source has it now. `types`: each column's type in the source's own words. `fault`: why it cannot
    be read, "" where it can; `table` then has no columns."""

    table: Table
    types: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What `Writer.prepare` would find of a table, or make.

    `place`: the target's own name for it. `ddl`: the one statement by which it would be made, "" where it is there or
    nothing is made. `types`: of the columns that are written, in their order, as they are there or would be made.
    `warnings`: why a run would not take it as it is, with the remedy.
    """

    place: str
    exists: bool
    ddl: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A table of a data source: `rows` as the server estimates them, `bytes` with its indexes; None: not known. `keys`:
    what tells its rows apart."""

    rows: int | None = None
    bytes: int | None = None
    keys: tuple[str, ...] = ()
