"""A task is carried on from run to run: where one ends only for tables to join or to be left behind, another begins."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from disync.engine.lease import Lease
from disync.engine.ledger import Ledger
from disync.engine.lending import Desk
from disync.engine.plan import Pipeline, plan
from disync.engine.task import Run
from disync.model.errors import TaskError
from disync.model.run import Task

log = structlog.get_logger()

Open = Callable[[Task, frozenset[str]], Pipeline]


def carry(
    task: Task,
    ledger: Ledger,
    lease: Lease,
    begun: Callable[[Run], None],
    opened: Open = plan,
    desk: Desk | None = None,
) -> None:
    """Run a task: one run after the other while each ends only for tables to join or to be left behind. `begun` is told
    of each. Without a `desk` it has no help from other workers."""
    joins = False
    while True:
        with Run(opened(task, frozenset(ledger.failed())), task, ledger, lease, joins, desk) as run:
            begun(run)
            try:
                run.go()
            except TaskError as error:
                if not run.leaves(error):
                    raise
                log.warning("tables are left behind", task=task.id, tables=sorted(error.tables), error=str(error))
                ledger.fail(error.tables, f"{error.code}: {error}")
                continue
        if not run.joining:
            return
        joins = True
