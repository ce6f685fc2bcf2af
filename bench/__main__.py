"""`python -m bench [--readme] [--rows N] [PART...]`: measure, print one table, keep it in README.md when asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bench import (
    api,
    changes,
    clustered,
    console,
    databases,
    datahub,
    growth,
    hosting,
    latency,
    load,
    memory,
    placing,
    scale,
    source,
    spread,
    table,
    tpch,
    workers,
)
from bench.table import Row

PARTS: dict[str, Callable[[], list[Row]]] = {
    "api": api.measure_all,
    "datahub": datahub.measure_all,
    "memory": memory.measure_all,
    "console": console.measure_all,
}
DATABASE_PARTS: dict[str, Callable[[int | None], list[Row]]] = {
    "load": load.measure_all,
    "tpch": tpch.measure_all,
    "changes": changes.measure_all,
    "latency": latency.measure_all,
    "growth": growth.measure_all,
    "scale": scale.measure_all,
    "spread": spread.measure_all,
    "clustered": clustered.measure_all,
    "source": source.measure_all,
    "workers": workers.measure_all,
    "placing": placing.measure_all,
    "hosting": hosting.measure_all,
}
README = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Exit code 1 when a bar is missed: the table says which."""
    names = [*PARTS, *DATABASE_PARTS]
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", default=names, metavar="PART", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--readme", action="store_true", help="keep the table in README.md")
    parser.add_argument("--rows", type=int, help="a smaller size for the parts that read databases, to try them out")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.parts if name not in names]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(names)}")
    rows: list[Row] = []
    for name in chosen.parts:
        print(f"==> measuring: {name}", flush=True)
        found = PARTS[name]() if name in PARTS else DATABASE_PARTS[name](chosen.rows)
        print(*("    " + " | ".join(filter(None, row.cells())) for row in found), sep="\n", flush=True)
        rows += found
    notes = [databases.NOTE] if any(name in DATABASE_PARTS for name in chosen.parts) else []
    text = table.markdown(rows, notes)
    print(f"\n{text}")
    if chosen.readme:
        table.keep(README, text)
    return int(any(row.missed for row in rows))


raise SystemExit(main())
