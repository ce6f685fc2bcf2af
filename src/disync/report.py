"""What `disync verify` prints: progress for whoever waits, and the report, for people or as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
import msgspec

from disync.engine.findings import Finding, TableReport, What, Why
from disync.engine.verify import Progress
from disync.services.verification import Repair, Verified

PROGRESS_SECONDS = 1.0

SHOWN = 100
"""Rows of a table that are shown to people; as JSON all of them come."""


def progress() -> Callable[[Progress], None]:
    """Writes a line to standard error, at most one a second."""
    began = last = time.monotonic()

    def tell(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            click.echo(f"{now.table}: {now.rows:,} rows, {now.differing} differ, {last - began:.0f} s", err=True)

    return tell


def as_text(found: Verified) -> str:
    lines = [] if found.running else ["The task does not run: source and target are compared as they are."]
    for table in found.tables:
        lines += _table(table)
    if found.repair is not None:
        lines += _repair(found.repair)
    return "\n".join(lines)


def as_json(found: Verified) -> str:
    told: dict[str, Any] = {
        "equal": found.equal,
        "running": found.running,
        "tables": [_told(table) for table in found.tables],
    }
    if found.repair is not None:
        left = [_told(table) for table in found.repair.left]
        told["repair"] = {
            "asked": found.repair.asked,
            "done": found.repair.done,
            "mended": found.repair.mended,
            "left": left,
        }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _told(table: TableReport) -> dict[str, Any]:
    return {
        "source": table.source,
        "target": table.target,
        "equal": table.equal,
        "trouble": table.trouble,
        "rows": {"source": table.rows[0], "target": table.rows[1]},
        "keyed": bool(table.method and table.method.keys),
        "columns": table.how(),
        "onlyInSource": table.left_out,
        "differences": [
            {"what": f.what, "key": f.key, "columns": f.columns, "why": f.why, "note": f.note} for f in table.findings
        ],
        "unsettled": table.unsettled,
    }


def _table(table: TableReport) -> Iterator[str]:
    yield f"{table.source} → {table.target}: {_verdict(table)}"
    yield from (_finding(found) for found in table.findings[:SHOWN])
    if len(table.findings) > SHOWN:
        yield f"    … and {len(table.findings) - SHOWN:,} more (--json lists all)"
    if table.method is not None and not table.method.keys:
        yield "    It has no key: the number of its rows and the sum of their checksums were compared, not row by row."
    if table.unsettled:
        shown = ", ".join(_key(key) for key in table.unsettled[:5])
        yield f"    {len(table.unsettled):,} rows changed too fast to be compared: {shown}"
    if table.left_out:
        yield f"    Not compared, as only the source has them: {', '.join(table.left_out)}"
    by_value = [name for name, how in table.how().items() if how.startswith("values")]
    if by_value:
        yield f"    Columns whose values were read and compared, as no checksum is common: {', '.join(by_value)}"


def _verdict(table: TableReport) -> str:
    here, there = table.rows
    rows = f"{here:,} rows" if here == there else f"{here:,} rows in the source, {there:,} in the target"
    if table.trouble:
        return f"not compared to its end. {table.trouble}"
    if table.whole is False:
        return f"different, {rows}"
    if not table.findings:
        return f"equal, {rows}"
    counts = [(what, sum(found.what is what for found in table.findings)) for what in What]
    return f"{', '.join(f'{count:,} {what}' for what, count in counts if count)}; {rows}"


def _finding(found: Finding) -> str:
    columns = f" in {', '.join(found.columns)}" if found.columns else ""
    why = "" if found.why is Why.UNKNOWN else f"; {found.why}{': ' + found.note if found.note else ''}"
    hint = " (see disync dirty)" if found.why is Why.REFUSED else ""
    return f"    {found.what:9}  {_key(found.key)}{columns}{why}{hint}"


def _key(key: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(key)).decode()


def _repair(repair: Repair) -> Iterator[str]:
    if not repair.asked:
        yield "There is nothing to repair."
    elif not repair.done:
        yield f"Rows to be repaired: {repair.asked:,}; the task begins with them at its next start. Verify again then."
    elif repair.mended:
        yield f"Rows repaired: {repair.asked:,}; compared again, they are equal."
    else:
        yield f"Rows to be repaired: {repair.asked:,}; this is left of them:"
        for table in repair.left:
            yield from _table(table)
