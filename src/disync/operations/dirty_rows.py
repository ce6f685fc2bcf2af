"""Rows that the target refused (dirty data)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.operations.parameters import Parameters, Payload, asked, counted
from disync.services import Caller, Services


def list_di_sync_dirty_rows(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The rows of a real-time task or a solution that the target refused, the newest first; `Table` may leave out the
    schema. `Row` is JSON text, cut where `Whole` is false. `State`: refused, asked (to be written again) or replayed.
    A row whose `Position` is verify was not refused: a comparison found that it differs."""
    page = services.refused_rows.page(
        caller, parameters["ProjectId"], parameters["FileId"], parameters.get("Table") or None, asked(parameters)
    )
    rows = [
        {
            "Id": row.id,
            "Table": row.table_name,
            "Row": row.row,
            "Whole": row.whole,
            "Reason": row.reason,
            "Position": row.position,
            "State": row.state,
            "Time": row.at_ms,
        }
        for row in page.entries
    ]
    return {"Data": {"Rows": rows, **counted(page)}}


def replay_di_sync_dirty_rows(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Has what is refused written again, as the source has it then. `Rows`: how many. `Runs`: a task that runs restarts
    for it at once, which is no failover; any other begins with them when it is started."""
    asked_for = services.refused_rows.replay(caller, *_named(parameters))
    return {"Data": {"Status": "success", "Message": None, "Rows": asked_for.rows, "Runs": asked_for.runs}}


def drop_di_sync_dirty_rows(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Forgets them, so that they count no more. Those that are to be written again stay while the task runs. `Runs` is
    always false: no task restarts for it."""
    rows = services.refused_rows.drop(caller, *_named(parameters))
    return {"Data": {"Status": "success", "Message": None, "Rows": rows, "Runs": False}}


def _named(parameters: Mapping[str, Any]) -> tuple[int, int, str | None]:
    return parameters["ProjectId"], parameters["FileId"], parameters.get("Table") or None
