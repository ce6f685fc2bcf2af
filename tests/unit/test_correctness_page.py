"""docs/correctness.md says of every case what shows it: held against the tests that there are."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "correctness.md").read_text()

ROW = re.compile(r"^\| (C\d\d) \| (.+?) \| (proved|partly|open|does not apply) \| (.*) \|$", re.MULTILINE)
LINK = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
NAMED = re.compile(r"^ *def (test((?:_c\d\d)+)_\w+)\(", re.MULTILINE)

# The list's own gaps: it has no such cases.
CASES = {f"C{number:02d}" for number in range(1, 95)} - {"C19", *(f"C{n}" for n in (*range(35, 40), *range(57, 60)))}


def _linked() -> dict[str, set[tuple[str, str]]]:
    return {case: {(file, name) for name, file in LINK.findall(shown)} for case, _, _, shown in ROW.findall(PAGE)}


def test_every_case_is_on_the_page_once() -> None:
    assert Counter(row[0] for row in ROW.findall(PAGE)) == Counter(CASES)


def test_every_test_on_the_page_exists() -> None:
    for file, name in set[tuple[str, str]]().union(*_linked().values()):
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


def test_every_test_of_a_case_is_on_the_page() -> None:
    linked, found = _linked(), 0
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, numbers in NAMED.findall(path.read_text()):
            for number in numbers.split("_c")[1:]:
                assert (str(path.relative_to(ROOT)), name) in linked[f"C{number}"], f"{name} is not at C{number}"
                found += 1
    assert found > 100


def test_a_state_says_no_more_than_there_is() -> None:
    for case, _, state, shown in ROW.findall(PAGE):
        assert bool(LINK.search(shown)) == (state in ("proved", "partly")), case
        assert state == "proved" or LINK.sub("", shown).strip(" ,;"), f"{case}: what is missing?"
