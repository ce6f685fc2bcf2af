"""The memory of a process that loads a table does not depend on how large the table is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pair import Pair

import servers

SMALL, LARGE = 100_000, 300_000
"""Rows of a thousand bytes."""


def _peak(pair: Pair, table: str) -> int:
    """Of a process that loads it, in MB."""
    job = json.dumps({"code": pair.code(table), "sources": pair.content()})
    command = [sys.executable, str(Path(__file__).parent / "load_alone.py")]
    done = subprocess.run(
        command, check=False, input=job, capture_output=True, text=True, timeout=120, env=servers.child_environment()
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""], ids=["by key", "without a key"])
def test_c14_memory_does_not_grow_with_the_table(pair: Pair, key: str) -> None:
    """Wide rows in one table without end: 100 MB and 300 MB are loaded in the same memory, be it in one transaction."""
    for table, count in (("small", SMALL), ("large", LARGE)):
        pair.sql(
            f"CREATE TABLE {table} (id INT {key}, v VARCHAR(1100))",
            f"INSERT INTO {table} SELECT seq, REPEAT(MD5(seq), 31) FROM seq_1_to_{count}",
        )
    small, large = _peak(pair, "small"), _peak(pair, "large")
    assert pair.select("SELECT (SELECT count(*) FROM small), (SELECT count(*) FROM large)") == [(SMALL, LARGE)]
    print(f"peak memory: {small} MB for 100 MB of rows, {large} MB for 300 MB")
    assert large < small + 25 and large < 150
