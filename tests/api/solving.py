"""Solutions for tests of the operations: the seed's, over a real source, and a run of it that is driven by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operating import PROJECT, Call, data_source

from disync.engine.dispatch import Hold
from disync.model.data import Column, Dirty, Position, Table
from disync.model.errors import TaskError
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.model.types import Kind
from disync.services import Services
from disync.services.dispatch import StoreDispatch, StoreLedger

GOLDEN = Path(__file__).parent.parent / "golden"
SEED = (GOLDEN / "seed-process-content.json").read_text().rstrip("\n")
FULL = (GOLDEN / "generated-solution.json").read_text().rstrip("\n")
HOLO = {"jdbcUrl": "jdbc:postgresql://127.0.0.1:1/x", "username": "u", "password": "", "tag": "public"}
NOWHERE = {"jdbcUrl": "jdbc:mysql://127.0.0.1:1/shop", "username": "u", "password": "", "tag": "public"}


def sources(call: Call, content: dict[str, str] = NOWHERE, names: tuple[str, str] = ("mm", "holo")) -> None:
    data_source(call, names[0], DataSourceType="mysql", Content=json.dumps(content))
    data_source(call, names[1], DataSourceType="holo", Content=json.dumps(HOLO))


def solve(call: Call, content: str = SEED, **more: Any) -> Any:
    return call("CreateDISyncTask", **PROJECT, TaskType="DI_SOLUTION", TaskContent=content, **more)["Data"]


def solution(file_id: int, **more: Any) -> dict[str, Any]:
    return {**PROJECT, "TaskType": "DI_SOLUTION", "FileId": file_id, **more}


def detail(call: Call, file_id: int) -> Any:
    data = call("GetDISyncTask", **solution(file_id))["Data"]
    assert (data["Status"], data["Message"], data["Code"]) == ("success", None, None)
    return data["SolutionDetail"]


def digit(call: Call, file_id: int) -> str:
    return str(detail(call, file_id)["Status"])


def extra(call: Call, file_id: int) -> Any:
    return json.loads(detail(call, file_id)["ProcessExtra"])


def info(call: Call, file_id: int) -> Any:
    data = call("GetDISyncInstanceInfo", **solution(file_id))["Data"]
    assert (data["Status"], data["Name"]) == ("success", None)
    return data


def steps(call: Call, file_id: int) -> list[str]:
    return [step["Status"] for step in info(call, file_id)["SolutionInfo"]["StepDetail"]]


def listed(call: Call, kind: int, **more: Any) -> list[Any]:
    found = call("ListFiles", **PROJECT, FileTypes=str(kind), PageSize=100, **more)["Data"]["Files"]
    return list(found)


def text(*tables: str, **more: Any) -> str:
    """The seed's text for these tables."""
    root = json.loads(SEED) | more
    root["realtimeSyncConfig"]["content"]["steps"][0]["parameter"]["connection"][0]["table"] = list(tables)
    return json.dumps(root)


def part(table: str, number: int = 0) -> Split:
    columns = (Column("id", Kind.BIGINT, nullable=False), Column("name", Kind.STRING))
    return Split(f"shop.{table}/{number}", Table(table, columns, ("id",)))


@dataclass
class Driven:
    """A worker's part in a run, step by step."""

    dispatch: StoreDispatch
    task: Task
    ledger: StoreLedger

    @classmethod
    def claim(cls, services: Services, running: bool = True) -> Driven:
        dispatch = StoreDispatch(services.store, services.data_sources.contents)
        task = dispatch.claim("w")
        assert task is not None
        driven = cls(dispatch, task, dispatch.ledger(task))
        driven.ledger.load()
        if running:
            driven.runs()
        return driven

    def runs(self) -> set[Hold]:
        """The runs that are still wanted."""
        return set(self.dispatch.renew("w", {Hold(self.task.id, self.task.epoch)}).wanted)

    def begins(self, *parts: Split) -> None:
        first = [] if self.ledger.checkpoints() else [self._mark("log", "0")]
        self.ledger.begin(first, parts)

    def wrote(self, part: Split, rows: int, done: bool = False, refused: list[Dirty] | None = None) -> None:
        tally = Tally(rows_read=rows, rows_written=rows)
        self.ledger.save(self._mark(part.id, str(rows), done), refused or [], tally)

    def followed(self, position: str) -> None:
        self.ledger.save(self._mark("log", position), [], Tally(1, 1, 1))

    def ends(self, error: TaskError | None = None) -> None:
        self.dispatch.finish(self.task, error)

    def _mark(self, split: str, position: str, done: bool = False) -> Checkpoint:
        return Checkpoint(split, Position(position), self.task.epoch, done)
