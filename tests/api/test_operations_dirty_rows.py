"""Refused rows through the operations, on both stores: listed in pages, asked for, forgotten; a solution's alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating import PROJECT, Call, member, task
from shapes import wrong
from solving import Driven, part, solution, solve, sources, text

from disync.model.data import Dirty, Position
from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services
from disync.services.access import Caller, Role


def asked(call: Call, action: str, file_id: int, **more: Any) -> Any:
    answer = call(action, **PROJECT, FileId=file_id, **more)
    assert wrong(action, answer) == []
    return answer["Data"]


def ids(data: Any) -> list[int]:
    return [json.loads(row["Row"])["id"] for row in data["Rows"]]


@pytest.fixture
def solved(call: Call, services: Services) -> tuple[int, int]:
    """A running solution and its real-time task, whose target has refused five rows of two tables."""
    sources(call)
    whole = int(solve(call, text("orders", "items"), TaskName="whole")["FileId"])
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        assert call(action, **solution(whole))["Data"]["Status"] == "success"
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"))
    orders = [Dirty("public.orders", json.dumps({"id": id_}), "too long", Position("7")) for id_ in (1, 2, 3)]
    items = [Dirty("public.items", json.dumps({"id": id_}), "no", Position("8")) for id_ in (4, 5)]
    run.wrote(part("orders"), 3, refused=orders)
    run.wrote(part("items"), 2, refused=items)
    return whole, run.task.id


def test_that_rows_are_to_be_replayed_is_told_among_the_events(call: Call, solved: tuple[int, int]) -> None:
    whole, _ = solved
    asked(call, "ReplayDISyncDirtyRows", whole, Table="public.items")
    (event,) = asked(call, "ListDISyncInstanceEvents", whole, EventType="REPLAY")["Events"]
    assert (event["Table"], json.loads(event["Detail"])) == ("public.items", {"rows": 2})


def test_rows_are_listed_in_pages_the_newest_first(call: Call, solved: tuple[int, int]) -> None:
    for file_id in solved:
        assert ids(asked(call, "ListDISyncDirtyRows", file_id)) == [5, 4, 3, 2, 1]
    whole, _ = solved
    page = asked(call, "ListDISyncDirtyRows", whole, PageNumber=2, PageSize=2)
    assert (ids(page), page["TotalCount"], page["PageNumber"], page["PageSize"]) == ([3, 2], 5, 2, 2)
    page = asked(call, "ListDISyncDirtyRows", whole, Table="items", PageSize=1)
    assert (ids(page), page["TotalCount"]) == ([5], 2)
    (row,) = page["Rows"]
    assert row == {
        **{"Id": row["Id"], "Table": "public.items", "Row": '{"id": 5}', "Whole": True, "Reason": "no"},
        **{"Position": "8", "State": "refused", "Time": row["Time"]},
    }
    assert asked(call, "ListDISyncDirtyRows", whole, PageNumber=9)["Rows"] == []
    with pytest.raises(ParamInvalid):
        asked(call, "ListDISyncDirtyRows", whole, PageSize=101)
    with pytest.raises(Refused, match="invalid"):
        asked(call, "ListDISyncDirtyRows", 99)


def test_rows_of_one_table_are_replayed_and_the_others_forgotten(call: Call, solved: tuple[int, int]) -> None:
    whole, _ = solved
    done = asked(call, "ReplayDISyncDirtyRows", whole, Table="items")
    assert done == {"Status": "success", "Message": None, "Rows": 2, "Runs": True}
    rows = asked(call, "ListDISyncDirtyRows", whole)["Rows"]
    assert [row["State"] for row in rows] == ["asked"] * 2 + ["refused"] * 3
    with pytest.raises(Refused, match="no refused row of table items"):
        asked(call, "ReplayDISyncDirtyRows", whole, Table="items")
    assert asked(call, "DropDISyncDirtyRows", whole)["Rows"] == 3
    assert ids(asked(call, "ListDISyncDirtyRows", whole)) == [5, 4], "a task that runs may be writing them"


def test_visitors_see_them_and_developers_mend_them(
    services: Services, root: Caller, call: Call, solved: tuple[int, int]
) -> None:
    visitor, developer = (member(services, root, role, role) for role in (Role.VISITOR, Role.DEVELOPER))
    stranger = member(services, root, "eve", None)
    for file_id in solved:
        assert len(asked(visitor, "ListDISyncDirtyRows", file_id)["Rows"]) == 5
        with pytest.raises(ForbiddenAccess):
            asked(stranger, "ListDISyncDirtyRows", file_id)
        for action in ("ReplayDISyncDirtyRows", "DropDISyncDirtyRows"):
            with pytest.raises(ForbiddenAccess):
                asked(visitor, action, file_id)
    assert asked(developer, "ReplayDISyncDirtyRows", solved[0])["Rows"] == 5


def test_of_a_deleted_solution_nothing_is_told(call: Call, solved: tuple[int, int]) -> None:
    whole, realtime = solved
    call("TerminateDISyncInstance", **solution(whole))
    call("DeleteDISyncTask", **solution(whole))
    with pytest.raises(Refused, match="invalid"):
        asked(call, "ListDISyncDirtyRows", whole)
    with pytest.raises(Refused):
        call("GetDISyncTask", **task(realtime))
