"""Tables that are loaded once more, alone, on both stores: those that were left behind and others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating import PROJECT, Call, create, member
from shapes import wrong
from solving import Driven, part, solution, solve, sources, text

from disync.model.data import Dirty, Position
from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services
from disync.services.access import Caller, Role


def retry(call: Call, file_id: int, *tables: str, **more: Any) -> Any:
    answer = call("RetryDISyncTables", **PROJECT, FileId=file_id, Tables=json.dumps(tables), **more)
    assert wrong("RetryDISyncTables", answer) == []
    return answer["Data"]


def states(call: Call, file_id: int) -> dict[str, str]:
    found = call("ListDISyncInstanceTables", **PROJECT, FileId=file_id)["Data"]["Tables"]
    return {table["SourceTable"]: table["Status"] for table in found}


def refused(call: Call, file_id: int) -> list[str]:
    rows = call("ListDISyncDirtyRows", **PROJECT, FileId=file_id)["Data"]["Rows"]
    return sorted(row["Table"] for row in rows)


@pytest.fixture
def solved(call: Call, services: Services) -> tuple[int, Driven]:
    """A running solution of which one table is followed, one is loaded, and one was left behind."""
    sources(call)
    whole = int(solve(call, text("orders", "items", "names"), TaskName="whole")["FileId"])
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        assert call(action, **solution(whole))["Data"]["Status"] == "success"
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"), part("names"))
    row = json.dumps({"id": 1})
    run.wrote(part("orders"), 3, done=True, refused=[Dirty("public.orders", row, "too long", Position("7"))])
    run.wrote(part("items"), 2, refused=[Dirty("public.items", row, "no", Position("8"))])
    run.ledger.fail({"names"}, "DdlRefused: no")
    return whole, run


def test_a_table_that_was_left_behind_is_taken_up_again(call: Call, solved: tuple[int, Driven]) -> None:
    whole, run = solved
    assert states(call, whole) == {"orders": "FOLLOW", "items": "LOAD", "names": "FAIL"}
    assert retry(call, whole, "names") == {"Status": "success", "Message": None, "Tables": 1, "Runs": True}
    assert run.ledger.failed() == {} and run.ledger.left() == {"names"}
    assert {split.table.name for split in run.ledger.load()} == {"orders", "items"}
    assert run.runs() == set(), "the run ends in good order, so that the next one takes it up"
    (event,) = call("ListDISyncInstanceEvents", **PROJECT, FileId=whole, EventType="RETRY")["Data"]["Events"]
    assert event["Table"] == "names"


def test_any_table_is_loaded_again_and_what_was_refused_of_it_is_forgotten(
    call: Call, solved: tuple[int, Driven]
) -> None:
    whole, run = solved
    marks = run.ledger.checkpoints()
    assert retry(call, run.task.id, "orders")["Runs"] is True
    assert run.ledger.left() == {"orders", "names"} and run.ledger.failed().keys() == {"names"}
    assert run.ledger.checkpoints().keys() == marks.keys() - {part("orders").id}, "the log goes on where it is"
    assert refused(call, whole) == ["public.items"]
    run.wrote(part("orders"), 1, done=True)  # told by the run that is about to end
    run.begins(part("orders", 2))
    assert part("orders").id not in run.ledger.checkpoints() and run.ledger.left() == {"names"}


def test_a_table_that_is_not_there_is_named(
    call: Call, services: Services, root: Caller, solved: tuple[int, Driven]
) -> None:
    whole, run = solved
    with pytest.raises(Refused, match="no table nothing"):
        retry(call, whole, "orders", "nothing")
    assert run.ledger.left() == {"names"}, "all or none"
    with pytest.raises(Refused, match="one table"):
        retry(call, whole)
    for text_ in ("orders", '{"a": 1}', "[1]"):
        with pytest.raises(ParamInvalid, match="Tables"):
            call("RetryDISyncTables", **PROJECT, FileId=whole, Tables=text_)
    visitor = member(services, root, "victor", Role.VISITOR)
    with pytest.raises(ForbiddenAccess):
        retry(visitor, whole, "orders")
    with pytest.raises(Refused, match="not been started"):
        retry(call, create(call)["FileId"], "orders")


def test_at_rest_it_waits_for_the_next_start(call: Call, solved: tuple[int, Driven]) -> None:
    whole, run = solved
    call("StopDISyncInstance", **solution(whole))
    run.ends()
    assert retry(call, whole, "names", "orders") == {"Status": "success", "Message": None, "Tables": 2, "Runs": False}
    assert states(call, whole) == {"orders": "GONE", "items": "LOAD", "names": "GONE"}
