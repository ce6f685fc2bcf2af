"""Real-time tasks and solutions as they run."""

from __future__ import annotations

from enum import StrEnum

from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload, asked, counted, keyword
from disync.services import Caller, Services
from disync.services.happening import Kind
from disync.services.instances import State
from disync.services.realtime import REALTIME
from disync.services.solutions.solution import SOLUTION
from disync.services.watch.listing import Filter, Seen
from disync.services.watch.metrics import Period
from disync.services.watch.tables import Standing


def list_di_sync_instances(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Every real-time task and solution of a workspace, deployed or not, newest first, or one of them by
    its FileId. `Status` is NORUN, WAIT, RUN,
    KILLING or PAUSE, of a solution that of its real-time task; `SolutionStatus` is a solution's own digit. A real-time
    task that a solution owns has that one's `SolutionId`. Rows and failovers count since the task was started; rates
    and `DelayMs` are those of the last sample, 0 and null while it does not run."""
    kind = parameters.get("TaskType")
    if kind not in (None, "", REALTIME, SOLUTION):
        raise ParamInvalid("TaskType", f"{REALTIME} or {SOLUTION}.")
    wanted = Filter(parameters.get("FileId"), keyword(parameters), kind, _one_of(parameters, "Status", State))
    page = services.watch.instances(caller, parameters["ProjectId"], wanted, asked(parameters))
    return {"Data": {"Instances": [_instance(one) for one in page.entries], **counted(page)}}


def get_di_sync_instance_metrics(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """How a real-time task or a solution was from `StartTime` to `EndTime`: at most about 360 samples, averaged. There
    is one every 10 seconds for an hour and one a minute for 25 hours, and none while the task does not run. `DelayMs`:
    how old, at its source, the last change was that was durable in the target; 0 with nothing pending, null where it is
    not known, as during a full load. `MemoryBytes` is the memory of the worker that runs it, beside others."""
    period = Period(parameters["StartTime"], parameters["EndTime"])
    found = services.watch.metrics(caller, parameters["ProjectId"], parameters["FileId"], period)
    points = [
        {
            "Time": point.time,
            "RowsPerSecond": point.rows,
            "BytesPerSecond": point.size,
            "DelayMs": point.delay_ms,
            "MemoryBytes": point.memory,
            "DirtyRows": point.dirty,
        }
        for point in found
    ]
    return {"Data": {"Samples": points}}


def list_di_sync_instance_events(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """What has happened to a real-time task or a solution, newest first; the newest 1,000 are kept. `EventType`: START,
    STOP, TERMINATE, RUN (a worker runs it), END (in good order), FAILOVER, FAIL (stopped for good), DDL, TABLE_JOIN,
    TABLE_LEAVE, TABLE_FAIL, CHECKPOINT (a position was set), RETRY (tables are to be loaded again), REPLAY (refused
    rows are to be written again) or VERIFY (rows that differ are, or a verification has ended). `Detail` is JSON: of
    DDL the statement, its kind, the policy that was applied and its outcome, of several tables at once their names."""
    kind = _one_of(parameters, "EventType", Kind)
    page = services.watch.events(caller, parameters["ProjectId"], parameters["FileId"], kind, asked(parameters))
    events = [
        {
            "Id": row.id,
            "Time": row.at_ms,
            "Type": row.type,
            "Table": row.table_name,
            "Message": row.message,
            "Detail": row.detail,
        }
        for row in page.entries
    ]
    return {"Data": {"Events": events, **counted(page)}}


def list_di_sync_instance_tables(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The tables of a real-time task or a solution by name, each with how far it is: WAIT, LOAD, FOLLOW, DONE (read to
    its end, in a task that follows nothing), FAIL (left behind, for the reason in `Message`) or GONE (it has left the
    task). `RowsWritten` are those of its load, null where they are not counted by table; `Progress` is a percentage of
    the splits of its load. A task that has not begun shows the tables that its text names."""
    standing = _one_of(parameters, "Status", Standing)
    page = services.watch.tables(
        caller, parameters["ProjectId"], parameters["FileId"], keyword(parameters), standing, asked(parameters)
    )
    tables = [
        {
            "SourceTable": one.source,
            "TargetTable": one.target,
            "Status": str(one.standing),
            "Message": one.message,
            "RowsWritten": one.rows,
            "Splits": one.splits,
            "SplitsDone": one.done,
            "Progress": one.percent,
        }
        for one in page.entries
    ]
    return {"Data": {"Tables": tables, **counted(page)}}


def _instance(one: Seen) -> Payload:
    row, sample = one.row, one.latest
    return {
        "FileId": row.id,
        "Name": row.name,
        "TaskType": row.task_type,
        "Status": str(one.state),
        "SolutionStatus": None if one.status is None else str(one.status),
        "Message": one.message,
        "Deployed": row.deployed_ms is not None,
        "DelayMs": sample and sample.delay_ms,
        "RowsPerSecond": 0.0 if sample is None else _rate(sample.rows_read, sample.span_ms),
        "BytesPerSecond": 0.0 if sample is None else _rate(sample.bytes_read, sample.span_ms),
        "RowsRead": row.rows_read or 0,
        "RowsWritten": row.rows_written or 0,
        "DirtyRows": row.rows_dirty or 0,
        "Failovers": one.failovers,
        "ResourceGroup": one.group,
        "SourceTypes": [one.job.source.type],
        "TargetTypes": [one.job.target.type],
        "Owner": row.owner_id,
        "SolutionId": row.solution_id,
        "StartTime": row.started_ms,
        "StopTime": None if row.desired == "RUN" else row.stopped_ms,
        "ModifyTime": row.edited_ms,
    }


def _rate(count: int, span_ms: int) -> float:
    """A second, to one place behind the point."""
    return round(count * 1000 / max(1, span_ms), 1)


def _one_of(parameters: Parameters, name: str, values: type[StrEnum]) -> str | None:
    """One of some words; None where it was not sent."""
    word = parameters.get(name)
    if not word:
        return None
    if word not in tuple(values):
        raise ParamInvalid(name, f"one of {', '.join(values)}.")
    return str(word)
