"""The table that `make bench` prints, and keeps in README.md when asked."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_HEAD = ("measured", "DISync", "beside it", "ratio", "bar")


@dataclass(frozen=True, slots=True)
class Row:
    """`bar` is the least ratio that the project asks of itself; None: a figure without one."""

    what: str
    value: str
    beside: str = ""
    ratio: float | None = None
    bar: float | None = None

    @property
    def missed(self) -> bool:
        return self.bar is not None and (self.ratio is None or self.ratio < self.bar)

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.1f} ×"
        bar = "" if self.bar is None else f"≥ {self.bar:g} ×{' (missed)' if self.missed else ''}"
        return (self.what, self.value, self.beside, ratio, bar)


def markdown(rows: list[Row]) -> str:
    lines = [_HEAD, ("---",) * len(_HEAD), *(row.cells() for row in rows)]
    place = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    note = f"`make bench` on {time.strftime('%Y-%m-%d')}, {place}; medians of 3 to 5 rounds, all parts on one machine."
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n"


def keep(readme: Path, table: str) -> None:
    """Put the table between the markers; at the end of the file when there are none yet."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Measured\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{table}{END}{rest.partition(END)[2]}", encoding="utf-8")
