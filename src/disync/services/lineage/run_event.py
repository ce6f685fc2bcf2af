"""What happens to a task as an event of OpenLineage.

A run is what lies between somebody's start and its end: failovers are a part of it. It begins with START, is RUNNING
whenever a worker has taken it up, and ends once: COMPLETE where all there was is read and written, ABORT where somebody
has stopped it or taken it offline, FAIL where it was stopped for good. OTHER tells of a failover. Its id follows from
the installation, the task and the start, so whoever tells of it twice tells of the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection

from disync import __version__
from disync.services.happening import Kind
from disync.services.lineage import datasets
from disync.services.lineage.facets import PRODUCER, RUN_EVENT, facet
from disync.store import lineage

_SPACE = UUID("6f1a35c2-4d02-5c0e-9a53-0d5b0f6c7b11")
"""Of the ids of runs."""

_TYPES = {
    Kind.START: "START",
    Kind.RUN: "RUNNING",
    Kind.FAILOVER: "OTHER",
    Kind.END: "COMPLETE",
    Kind.STOP: "ABORT",
    Kind.TERMINATE: "ABORT",
    Kind.FAIL: "FAIL",
}
TOLD = tuple(_TYPES)
_ENDS = (Kind.END, Kind.STOP, Kind.TERMINATE, Kind.FAIL)


def run_event(db: Connection, row: Any, namespace: str) -> dict[str, Any] | None:
    """The event for a row of `event`; None where it tells nothing: of a task that is not there any more, of none that
    was started, or of a run that has ended already."""
    task, life = lineage.task(db, row.file_id), lineage.life(db, row, Kind.START, _ENDS)
    if task is None or life.ended or (life.start is None and task.started_ms is None):
        return None
    kind, began = Kind(row.type), life.start.at_ms if life.start is not None else task.started_ms
    mark = f"event-{life.start.id}" if life.start is not None else f"since-{began}"
    job = {"namespace": namespace, "name": f"{task.identifier}.{task.name}", "facets": {"jobType": _STREAMING}}
    facets = {"processing_engine": facet("ProcessingEngineRunFacet", version=__version__, name="DISync")}
    if task.solution_id is not None:
        parent = {"namespace": namespace, "name": f"{task.identifier}.{lineage.name(db, task.solution_id)}"}
        run = {"runId": _run_id(task.installation, task.solution_id, mark)}
        facets["parent"] = facet("ParentRunFacet", run=run, job=parent)
    if kind in (Kind.FAIL, Kind.FAILOVER):
        facets["errorMessage"] = facet("ErrorMessageRunFacet", message=row.message, programmingLanguage="PYTHON")
    kept = lineage.get(db, row.file_id)
    flows = datasets.read(kept.flows) if kept is not None and kept.at_ms >= began and kind is not Kind.START else ()
    return {
        "eventType": _TYPES[kind],
        "eventTime": datetime.fromtimestamp(row.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {"runId": _run_id(task.installation, row.file_id, mark), "facets": facets},
        "job": job,
        "inputs": datasets.inputs(flows),
        "outputs": datasets.outputs(flows),
    }


def _run_id(installation: str, file_id: int, mark: str) -> str:
    return str(uuid5(_SPACE, f"{installation}/{file_id}/{mark}"))


_STREAMING = facet("JobTypeJobFacet", processingType="STREAMING", integration="DISYNC", jobType="TASK")
