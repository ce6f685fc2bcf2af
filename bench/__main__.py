"""`python -m bench [--readme] [api] [datahub] [memory]`: measure, print one table, keep it in README.md when asked."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import api, datahub, memory, table

PARTS = {"api": api.measure_all, "datahub": datahub.measure_all, "memory": memory.measure_all}
README = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Exit code 1 when a bar is missed: the table says which."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=[*PARTS], metavar="PART", help="api, datahub, memory (default: all)"
    )
    parser.add_argument("--readme", action="store_true", help="keep the table in README.md")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    rows: list[table.Row] = []
    for name in chosen.parts:
        print(f"==> measuring: {name}", flush=True)
        rows += PARTS[name]()
    text = table.markdown(rows)
    print(f"\n{text}")
    if chosen.readme:
        table.keep(README, text)
    return int(any(row.missed for row in rows))


raise SystemExit(main())
