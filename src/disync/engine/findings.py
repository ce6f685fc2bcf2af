"""What a comparison comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from disync.model.compare import Key, Method, Pair
from disync.model.dml import Dml


class What(StrEnum):
    MISSING = "missing"
    """In the source and not in the target."""
    EXTRA = "extra"
    """In the target and not in the source."""
    DIFFERENT = "different"
    """In both, with other values."""


class Why(StrEnum):
    UNKNOWN = "unexplained"
    REFUSED = "refused"
    """The target has refused the row, which is kept (`disync dirty`)."""
    UNREADABLE = "unreadable"
    """The source holds what cannot be read."""
    PENDING = "not yet applied"
    """The task rests, and the source's log has changes of the row that it will apply."""
    RULED = "as the task's rules have it"
    """The task's mapping leaves out such changes (HandleDml: Ignore, Filter)."""
    DOUBTFUL = "perhaps not yet applied"
    """The task rests behind the source's log, which could not be looked through."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that differs. `key`: the key's values by the source's names; `plain`: the same, to be compared by.
    `columns`: the names of those that differ. `note`: what there is to say about it. `here` and `there`: what the
    source and the target have, as people read it; of a row that both have, in the columns that differ."""

    what: What
    key: Mapping[str, Any]
    plain: Key
    columns: tuple[str, ...] = ()
    why: Why = Why.UNKNOWN
    note: str = ""
    here: Mapping[str, str | None] | None = None
    there: Mapping[str, str | None] | None = None


@dataclass(slots=True)
class TableReport:
    """`trouble`: why the comparison did not come to its end, "" where it did. `rows` of source and target as they were
    counted on the way. `left_out`: columns that only the source has. `unsettled`: keys of rows that changed too fast.
    `whole`: for a table without a key, whether both sides were found equal. `ruled`: differences that the task makes by
    its own rules, `dml` by which rows it does."""

    source: str
    target: str
    pair: Pair | None = None
    method: Method | None = None
    rows: tuple[int, int] = (0, 0)
    findings: list[Finding] = field(default_factory=list)
    unsettled: list[Mapping[str, Any]] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    trouble: str = ""
    whole: bool | None = None
    ruled: frozenset[What] = frozenset()
    dml: Dml | None = None

    @property
    def equal(self) -> bool:
        return all(found.why is Why.RULED for found in self.findings) and not self.trouble and self.whole is not False

    def how(self) -> dict[str, str]:
        """How each column was compared, by its name in the source."""
        if self.pair is None or self.method is None:
            return {}
        pairs = zip(self.pair.source.columns, self.method.forms, strict=True)
        keyless = "not at all: no common form, and no key"
        by_value = "values, here" if self.method.keys else keyless
        return {column.name: f"checksum of {form}" if form else by_value for column, form in pairs}
