"""What makes rows durable, whoever reads them: the run that has the task, or a worker that helps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from disync.engine.ledger import Ledger
from disync.model.connector import Sink
from disync.model.data import Dirty
from disync.model.errors import DirtyLimit
from disync.model.run import Checkpoint, Tally, Task

Refusing = Callable[[Sequence[Dirty]], Set[str]]
"""The tables of the target that refused these rows."""


def save(task: Task, ledger: Ledger, refusing: Refusing, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None:
    """Flush, then save. Never another order."""
    dirty = [*checkpoint.refused, *sink.flush(checkpoint)]
    refused = ledger.save(checkpoint, dirty, tally + Tally(rows_written=-len(dirty), rows_dirty=len(dirty)))
    limit = task.limits.dirty
    if dirty and limit is not None and refused > limit:
        raise DirtyLimit(
            f"{refused} rows were refused and errorLimit.record allows {limit}; the last: "
            f"{dirty[-1].reason}. Mend the rows or the target, or raise the limit, and start the task again.",
            refusing(dirty),
        )


def catch_up(ledger: Ledger, held: Checkpoint, saved: Checkpoint | None, epoch: int) -> None:
    """What the target holds is newer where whoever wrote it died before it could save, or where the store was put back
    to an older state: it is saved now, with the rows that were refused, before anything is written behind it."""
    if saved is None or (held.position, held.done) != (saved.position, saved.done):
        ledger.save(replace(held, epoch=epoch), held.refused, Tally(rows_dirty=len(held.refused)))
