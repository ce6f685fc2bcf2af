"""docs/scale.md has the tables that bench/model.py computes from the points that are kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_has_what_the_model_computes() -> None:
    computed = subprocess.run(
        [sys.executable, "-m", "bench.model"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("<!-- scale: begin -->\n")
    kept, end, _ = rest.partition("\n<!-- scale: end -->")
    assert end and kept == computed.stdout.rstrip("\n")
    assert kept.count("\n|") > 30
