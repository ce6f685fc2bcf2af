"""The steps of a solution as GetDISyncInstanceInfo shows them: each with a status and a table for a console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from disync.services.instances import State
from disync.services.solutions.state import Facts, Status, status

SHOWN = 100
"""Tables in one step's Info; those that are not done come first. `customProps.summary` counts all."""

SUCCESS, RUN, FAIL, WAIT, STOP, CONFIRM = "success", "run", "fail", "wait", "stop", "confirm"


@dataclass(frozen=True, slots=True)
class Step:
    """As in `StepDetail`: "Create a base table" has the number 1 and the name of the vendor's sample."""

    id: int
    name: str
    status: str
    info: str


class Stage(StrEnum):
    """How far the load of one table is."""

    WAIT = "WAIT"
    LOAD = "LOAD"
    LOADED = "LOADED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Progress:
    """The load of one table: parts it was cut into, how many are ended, rows written. `node`: the name of its file.
    `reason`: why it was left behind, if it was."""

    table: str
    parts: int
    ended: int
    rows: int
    node: str = ""
    reason: str = ""

    @property
    def stage(self) -> Stage:
        if self.reason:
            return Stage.FAIL
        if self.ended == self.parts:
            return Stage.LOADED
        return Stage.LOAD if self.ended or self.rows else Stage.WAIT


@dataclass(frozen=True, slots=True)
class Figures:
    """What the steps count: `tables` in all, and the first of them in `shown`; rows of the task since its start."""

    realtime: str
    data_sources: Sequence[str] = ()
    tables: int = 0
    parts: int = 0
    ended: int = 0
    rows: int = 0
    shown: Sequence[Progress] = ()
    counters: Mapping[str, int] = field(default_factory=dict)


def steps(facts: Facts, figures: Figures) -> list[Step]:
    checked = SUCCESS if facts.deployed else WAIT
    made, loads, follows = _made(facts), _loads(facts), _follows(facts)
    return [
        Step(0, "Precheck", checked, _precheck(checked, figures)),
        Step(1, "Create a base table", made, _tables(made, facts, figures)),
        Step(2, "Full synchronization", loads, _load(loads, facts, figures)),
        Step(3, "Real-time synchronization", follows, _realtime(follows, facts, figures)),
    ]


def _made(facts: Facts) -> str:
    if facts.asks:
        return CONFIRM
    if facts.begun:
        return SUCCESS
    return _going(facts) if facts.held else FAIL if status(facts) is Status.FAILED else WAIT


def _loads(facts: Facts) -> str:
    if not facts.begun:
        return WAIT
    return SUCCESS if facts.loaded else _going(facts)


def _follows(facts: Facts) -> str:
    return _going(facts) if facts.loaded else WAIT


def _going(facts: Facts) -> str:
    """Of the step that the run is at."""
    now = status(facts)
    if now in (Status.FAILED, Status.TO_CONFIRM):
        return FAIL if now is Status.FAILED else WAIT
    if facts.state is State.RUN or (facts.state is State.WAIT and facts.held):
        return RUN
    return WAIT if facts.state in (State.WAIT, State.NORUN) else STOP


def _precheck(state: str, figures: Figures) -> str:
    rows = [{"dataSource": name, "status": state.upper()} for name in figures.data_sources]
    return _info({"dataSource": (0.8, "Data source"), "status": (0.2, "Status")}, rows)


def _tables(state: str, facts: Facts, figures: Figures) -> str:
    columns = {"tableName": (0.4, "Table"), "status": (0.2, "Status"), "message": (0.4, "Message")}
    made = [(one, FAIL if one.reason else SUCCESS) for one in figures.shown]
    rows = [{"tableName": one.table, "status": found.upper(), "message": one.reason} for one, found in made]
    if state in (FAIL, CONFIRM):
        rows.insert(0, {"tableName": "", "status": state.upper(), "message": facts.message or ""})
    return _info(columns, rows, {"tables": figures.tables, "shown": len(figures.shown)})


def _load(state: str, facts: Facts, figures: Figures) -> str:
    columns = {
        "tableName": (0.3, "Table"),
        "fileName": (0.3, "Batch synchronization name"),
        "rows": (0.15, "Rows"),
        "progress": (0.1, "Progress"),
        "status": (0.15, "Status"),
    }
    rows = [
        {
            "tableName": one.table,
            "fileName": one.node,
            "rows": one.rows,
            "progress": f"{one.ended}/{one.parts}",
            "status": _table(one, state).upper(),
        }
        for one in figures.shown
    ]
    if state == FAIL or facts.behind:
        columns["message"] = (0.3, "Message")
        why = [(one.reason or facts.message or "") if _table(one, state) == FAIL else "" for one in figures.shown]
        rows = [{**row, "message": text} for row, text in zip(rows, why, strict=True)]
    summary = {"tables": figures.tables, "shown": len(rows), "rows": figures.rows}
    return _info(columns, rows, {**summary, "progress": f"{figures.ended}/{figures.parts}"})


def _table(one: Progress, state: str) -> str:
    match one.stage:
        case Stage.FAIL:
            return FAIL
        case Stage.LOADED:
            return SUCCESS
        case Stage.LOAD:
            return state
        case Stage.WAIT:
            return state if state in (FAIL, STOP) else WAIT


def _realtime(state: str, facts: Facts, figures: Figures) -> str:
    columns = {"fileName": (0.8, "Real-time synchronization name"), "status": (0.2, "Status")}
    row: dict[str, Any] = {"fileName": figures.realtime, "status": state.upper()}
    if facts.loaded:
        titles = {"rowsRead": "Rows read", "rowsWritten": "Rows written", "rowsDirty": "Rows refused"}
        columns |= {name: (0.2, title) for name, title in titles.items()}
        row |= {name: figures.counters.get(name, 0) for name in titles}
    if state == FAIL:
        columns["message"] = (0.4, "Message")
        row["message"] = facts.message or ""
    return _info(columns, [row])


def _info(
    columns: Mapping[str, tuple[float, str]],
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any] | None = None,
) -> str:
    """The JSON of a console's table, as the vendor's sample of `Info` has it."""
    listed = [{"dataIndex": name, "width": width, "title": title} for name, (width, title) in columns.items()]
    properties: dict[str, Any] = {"showSN": True, "columns": listed}
    if summary is not None:
        properties["summary"] = summary
    table = {"fusionProps": {"dataSource": rows}, "customProps": properties, "componentName": "Table"}
    return msgspec.json.encode(table).decode()
