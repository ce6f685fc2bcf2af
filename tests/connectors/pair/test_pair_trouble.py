"""A target whose owner changes its rules while a task runs: said by name, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pair import Pair, made
from verifying import compared, found

from disync.engine.findings import What
from disync.native import pgcopy
from mariadb import MariaDB

ROLE = "no_superuser"


@pytest.fixture
def low(pair_source: MariaDB, pair_target: str) -> Iterator[Pair]:
    """The task's user may do what it was granted, and no more."""
    for pair in made(pair_source, pair_target, pgcopy.FORMAT):
        pair.select(f"CREATE ROLE {ROLE} LOGIN")
        pair.select(f"GRANT ALL ON SCHEMA {pair.name} TO {ROLE}")
        pair.url = pair.url.replace("postgres@", f"{ROLE}@")
        yield pair
        pair.select(f"DROP OWNED BY {ROLE}")
        pair.select(f"DROP ROLE {ROLE}")


def test_rows_that_a_policy_hides_are_no_silent_loss(low: Pair) -> None:
    """A DELETE of a row that its user may not see does nothing, and says nothing."""
    low.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20")
    with low.task(low.code("t")) as running:
        running.settle()
        low.select("CREATE POLICY partly ON t USING (id > 10)")
        low.select("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        low.select("ALTER TABLE t FORCE ROW LEVEL SECURITY")
        low.sql("DELETE FROM t WHERE id = 5")
        assert "row-level security" in str(running.fails())
    assert "row-level security" in compared(low, running=False)["t"].trouble
    low.select("ALTER TABLE t DISABLE ROW LEVEL SECURITY")
    low.select("DELETE FROM t WHERE id = 7")
    with low.task(low.code("t")) as running:
        running.settle()
        assert found(compared(low)["t"]) == {(What.MISSING, (7,), ())}
