"""The table that `make bench` prints, and keeps in README.md when asked."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_HEAD = ("measured", "DISync", "beside it", "ratio", "bar")


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure, and the most that the project allows it to be, in the same unit."""

    figure: float
    most: float
    unit: str

    @property
    def missed(self) -> bool:
        return self.figure > self.most


@dataclass(frozen=True, slots=True)
class Row:
    """`bar`: the least ratio that the project asks of itself. `limit`: the most a figure may be. None: not asked."""

    what: str
    value: str
    beside: str = ""
    ratio: float | None = None
    bar: float | None = None
    limit: Limit | None = None

    @property
    def missed(self) -> bool:
        below = self.bar is not None and (self.ratio is None or self.ratio < self.bar)
        return below or (self.limit is not None and self.limit.missed)

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.{1 if self.ratio >= 2 else 2}f} ×"
        bars = [f"≥ {self.bar:g} ×"] if self.bar is not None else []
        bars += [f"≤ {self.limit.most:g} {self.limit.unit}"] if self.limit is not None else []
        return (self.what, self.value, self.beside, ratio, ", ".join(bars) + (" (missed)" if self.missed else ""))


def markdown(rows: list[Row], notes: Sequence[str] = ()) -> str:
    """The table; below it where and when it was made, and each note once."""
    lines = [_HEAD, ("---",) * len(_HEAD), *(row.cells() for row in rows)]
    place = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    note = f"`make bench` on {time.strftime('%Y-%m-%d')}, {place}; medians of 3 to 5 rounds, all parts on one machine."
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" + "\n".join([note, *notes]) + "\n"


def keep(readme: Path, table: str) -> None:
    """Put the table between the markers; at the end of the file when there are none yet."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Measured\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{table}{END}{rest.partition(END)[2]}", encoding="utf-8")
