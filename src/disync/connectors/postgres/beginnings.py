"""The beginnings of a task: each keeps its checkpoints under a name of its own, which ends with its number.

So neither positions nor epochs hold back a worker that still has the task from an earlier one. A beginning leaves marks
in the table of checkpoints, where the split is empty: one under its own name, that it has begun, and one under the
name that all of them share, with the number of the latest as its epoch.
"""

from __future__ import annotations

from disync.connectors.postgres.checkpoint import CLOSED, relation
from disync.connectors.postgres.connection import Connection
from disync.model.errors import BegunAnew

_MARK = """
INSERT INTO {} AS held (task, split, position, epoch, done, sequence, updated) VALUES ($1, '', '', $2, true, 0, now())
ON CONFLICT (task, split) DO UPDATE SET epoch = greatest(held.epoch, EXCLUDED.epoch), updated = EXCLUDED.updated
"""
_CLOSE = """
UPDATE {} SET epoch = $2
WHERE epoch < $2 AND left(task, length($1::text)) = $1::text
  AND CASE WHEN substr(task, length($1::text) + 1) ~ '^[0-9]+$'
      THEN substr(task, length($1::text) + 1)::numeric < $3 ELSE false END
"""
_LATEST = "SELECT epoch FROM {} WHERE task = $1 AND split = ''"
_BEGUN = "SELECT 1 FROM {} WHERE task = $1 AND split = ''"


def numbered(task: str) -> tuple[str, int] | None:
    """The name of a task without its beginning, and that; None where beginnings are not numbered."""
    name, _, number = task.rpartition("/")
    return (name, int(number)) if name and number.isdecimal() else None


def begin(connection: Connection, schema: str, task: str) -> None:
    """The tables are ready: from now on the task goes on here. Whoever still has it from an earlier beginning is shut
    out, such as a worker that stands still with rows in its hands; what it just commits is waited for. Commits."""
    held = relation(schema)
    if (found := numbered(task)) is not None:
        name, number = found
        connection.execute(_MARK.format(held).encode(), (name, number))
        connection.execute(_CLOSE.format(held).encode(), (f"{name}/", CLOSED, number))
    connection.execute(_MARK.format(held).encode(), (task, 0))
    connection.commit()


def begun(connection: Connection, schema: str, task: str) -> bool:
    """Whether this task has begun here; one of an earlier release has left no mark of that."""
    found = connection.execute(_BEGUN.format(relation(schema)).encode(), (task,)).fetchone() is not None
    connection.rollback()
    return found


def require_latest(connection: Connection, schema: str, task: str, shares: bool) -> None:
    """Let no later beginning come until the transaction ends: it closes the rows there are, and does not see one that
    is not committed. BegunAnew where one has come. To be asked before any row is locked, as who begins locks this one
    first. `shares`: of the server's Dialect; without it, one that comes at just this moment is not kept from coming."""
    if (found := numbered(task)) is None:
        return
    name, number = found
    query = _LATEST.format(relation(schema)) + (" FOR SHARE" if shares else "")
    row = connection.execute(query.encode(), (name,)).fetchone()
    if row is not None and row[0] > number:
        raise BegunAnew
