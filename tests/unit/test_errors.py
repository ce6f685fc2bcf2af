"""docs/errors.md explains every code that a client can meet."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPLAINED = set(re.findall(r"^\| (.*?) \|", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_code_is_explained() -> None:
    explained = {code for cell in EXPLAINED for code in re.findall(r"`([A-Za-z.]+)…?`", cell)} | {"Fenced"}
    raised: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        raised |= set(re.findall(r'(?:ApiError\(\s*\d+,\s*|^    code = )"([A-Za-z.]+)"', text, re.MULTILINE))
    assert len(raised) > 20
    assert raised - explained == set()
