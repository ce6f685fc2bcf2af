"""The positions of a task through the operations, on both stores."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from operating import PROJECT, Call, member
from shapes import wrong
from solving import NOWHERE, Driven, part, solution, solve, sources, text

from disync.connectors.memory import CONNECTOR, Memory, MemoryChangeReader, Stream
from disync.model.errors import ForbiddenAccess, Refused
from disync.services import Services, positions
from disync.services.access import Caller, Role


def marks(call: Call, file_id: int) -> list[tuple[Any, ...]]:
    answer = call("ListDISyncCheckpoints", **PROJECT, FileId=file_id)
    assert wrong("ListDISyncCheckpoints", answer) == []
    found = answer["Data"]["Checkpoints"]
    assert all(one["Time"] > 1_700_000_000_000 for one in found)
    return [(one["Split"], one["Position"], one["Done"], one["Epoch"]) for one in found]


def test_positions_of_a_solution_are_those_of_its_task(
    services: Services, root: Caller, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(call)
    whole = int(solve(call, text("items", "orders"), TaskName="whole")["FileId"])
    assert marks(call, whole) == []
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        call(action, **solution(whole))
    run = Driven.claim(services)
    run.begins(part("items"), part("orders"))
    run.wrote(part("items"), 3, done=True)
    run.wrote(part("orders"), 1)
    run.followed("17")
    epoch = run.task.epoch
    told = [("log", "17", False, epoch), ("shop.orders/0", "1", False, epoch), ("shop.items/0", "3", True, epoch)]
    assert marks(call, whole) == told == marks(call, run.task.id)
    assert marks(member(services, root, "vic", Role.VISITOR), whole) == told
    with pytest.raises(ForbiddenAccess):
        marks(member(services, root, "eve", None), whole)
    with pytest.raises(Refused, match="invalid"):
        marks(call, 99)
    monkeypatch.setattr(positions, "MOST", 2)
    assert marks(call, whole) == told[:2]


def stopped(services: Services, call: Call, content: dict[str, str]) -> int:
    """A solution that has followed the log up to 17, and was stopped."""
    sources(call, content)
    whole = int(solve(call, text("items"), TaskName="whole")["FileId"])
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        call(action, **solution(whole))
    run = Driven.claim(services)
    run.begins(part("items"))
    run.wrote(part("items"), 3, done=True)
    run.followed("17")
    with pytest.raises(Refused, match=r"not stopped \(its state is RUN\)"):
        call("UpdateDISyncCheckpoint", **PROJECT, FileId=whole, Split="binlog", Position="x.1:4")
    call("StopDISyncInstance", **solution(whole))
    with pytest.raises(Refused, match="its state is KILLING"):
        call("UpdateDISyncCheckpoint", **PROJECT, FileId=whole, Split="binlog", Position="x.1:4")
    run.ends()
    return whole


def test_what_cannot_be_set_is_refused_and_nothing_changes(services: Services, root: Caller, call: Call) -> None:
    whole = stopped(services, call, NOWHERE)
    before = marks(call, whole)

    def refused(who: Call, split: str, position: str, why: str) -> None:
        with pytest.raises(Refused, match=why):
            who("UpdateDISyncCheckpoint", **PROJECT, FileId=whole, Split=split, Position=position)
        assert marks(call, whole) == before

    refused(call, "nowhere", "x.1:4", "no position of 'nowhere'")
    refused(call, part("items").id, "x.1:4", "full load that is done")
    refused(call, "log", "x.1:4", "cannot be reached")
    for name, role in (("vic", Role.VISITOR), ("eve", None)):
        with pytest.raises(ForbiddenAccess):
            refused(member(services, root, name, role), "log", "x.1:4", ".")


def test_a_position_of_a_stopped_task_is_set(
    services: Services, root: Caller, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connector is the memory's: its streams are numbers of rows."""
    log = Memory(streams={"orders": [Stream("log", rows=[("I", (1, "x"))] * 20)]})
    monkeypatch.setattr(positions, "find_connector", lambda _: replace(CONNECTOR, reader=lambda _: reader_of(log)))
    whole = stopped(services, call, NOWHERE)
    dev = member(services, root, "dee", Role.DEVELOPER)
    with pytest.raises(Refused, match="no number of rows from 0 to 20"):
        dev("UpdateDISyncCheckpoint", **PROJECT, FileId=whole, Split="log", Position="21")
    answer = dev("UpdateDISyncCheckpoint", **PROJECT, FileId=whole, Split="log", Position="5")
    assert wrong("UpdateDISyncCheckpoint", answer) == []
    assert answer["Data"] == {"Status": "success", "Message": None, "Position": "5"}
    (found,) = [
        one
        for one in call("ListDISyncCheckpoints", **PROJECT, FileId=whole)["Data"]["Checkpoints"]
        if one["Split"] == "log"
    ]
    assert (found["Position"], found["Chosen"], found["Done"]) == ("5", True, False)
    events = call("ListDISyncInstanceEvents", **PROJECT, FileId=whole, EventType="CHECKPOINT")["Data"]["Events"]
    assert json.loads(events[0]["Detail"]) == {"split": "log", "before": "17", "position": "5", "user": "dee"}
    (written, refused) = call("ListAuditEvents", **PROJECT, AuditAction="UpdateDISyncCheckpoint", UserId="dee")["Data"][
        "Events"
    ]
    assert (written["Code"], refused["Code"], written["FileId"]) == ("OK", "Invalid.Operation", whole)
    call("StartDISyncInstance", **solution(whole))
    run = Driven.claim(services)
    mark = run.ledger.checkpoints()["log"]
    assert (mark.position, mark.chosen) == ("5", run.task.epoch - 1)
    run.followed("9")
    assert run.ledger.checkpoints()["log"].chosen is None, "a run has taken it up"


def reader_of(memory: Memory) -> MemoryChangeReader:
    return MemoryChangeReader(memory, "orders")
