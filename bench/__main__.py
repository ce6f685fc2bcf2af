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
    parser.add_argument("parts", nargs="*", choices=[*PARTS], help="which to measure (default: all)")
    parser.add_argument("--readme", action="store_true", help="keep the table in README.md")
    chosen = parser.parse_args()
    rows: list[table.Row] = []
    for name in chosen.parts or PARTS:
        print(f"==> measuring: {name}", flush=True)
        rows += PARTS[name]()
    text = table.markdown(rows)
    print(f"\n{text}")
    if chosen.readme:
        table.keep(README, text)
    return int(any(row.missed for row in rows))


raise SystemExit(main())
