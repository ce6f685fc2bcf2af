"""What is seen of tasks through the operations, on both stores: the list, and how far each table is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from operating import PROJECT, Call, create, member, task
from shapes import wrong
from solving import Driven, part, solve, sources, text

from disync.model.data import Column, Dirty, Position, SchemaChange, Table
from disync.model.ddl import Policy
from disync.model.errors import BadConfig, ForbiddenAccess, ParamInvalid, Refused, Unreachable
from disync.model.types import Kind
from disync.services import Services, happening
from disync.services.access import Caller, Role
from disync.store import deployments, files
from disync.store import events as event_rows
from disync.store import instances as rows

CODE = json.dumps(
    {
        "steps": [
            {
                "name": "r",
                "stepType": "mysql",
                "parameter": {"connection": [{"datasource": "mm", "table": ["orders", "items"]}]},
            },
            {"name": "w", "stepType": "holo", "parameter": {"datasource": "holo", "datasourceSchema": "public"}},
        ],
        "order": {"hops": [{"from": "r", "to": "w"}]},
        "setting": {"errorLimit": {"record": "10"}},
    }
)


def instances(call: Call, **more: Any) -> list[Any]:
    answer = call("ListDISyncInstances", **PROJECT, **more)
    assert wrong("ListDISyncInstances", answer) == []
    return list(answer["Data"]["Instances"])


def tables(call: Call, file_id: int, **more: Any) -> list[Any]:
    answer = call("ListDISyncInstanceTables", **PROJECT, FileId=file_id, **more)
    assert wrong("ListDISyncInstanceTables", answer) == []
    return list(answer["Data"]["Tables"])


def standings(call: Call, file_id: int, **more: Any) -> list[tuple[Any, ...]]:
    return [(t["SourceTable"], t["TargetTable"], t["Status"], t["Progress"]) for t in tables(call, file_id, **more)]


@pytest.fixture
def made(call: Call) -> int:
    """A real-time task of two tables, not deployed."""
    sources(call)
    return int(create(call, TaskName="Shop", TaskContent=CODE)["FileId"])


def started(call: Call, file_id: int) -> int:
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        assert call(action, **task(file_id))["Data"]["Status"] == "success"
    return file_id


def test_a_task_is_listed_from_its_first_day_to_its_last(call: Call, services: Services, made: int) -> None:
    (found,) = instances(call)
    assert found == {
        **{"FileId": made, "Name": "Shop", "TaskType": "DI_REALTIME", "Status": "NORUN", "SolutionStatus": None},
        **{"Message": None, "Deployed": False, "DelayMs": None, "RowsPerSecond": 0.0, "BytesPerSecond": 0.0},
        **{"RowsRead": 0, "RowsWritten": 0, "DirtyRows": 0, "Failovers": 0, "ResourceGroup": "group_default"},
        **{"SourceTypes": ["mysql"], "TargetTypes": ["holo"], "Owner": "root", "SolutionId": None},
        **{"StartTime": None, "StopTime": None, "ModifyTime": found["ModifyTime"]},
    }
    started(call, made)
    assert (instances(call)[0]["Status"], instances(call)[0]["Deployed"]) == ("WAIT", True)
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"))
    run.wrote(part("orders"), 30, refused=[Dirty("orders", "{}", "no", Position("1"))])
    (found,) = instances(call)
    assert (found["Status"], found["RowsRead"], found["RowsWritten"]) == ("RUN", 30, 30)
    assert found["StartTime"] is not None and found["StopTime"] is None
    run.ends(Unreachable("away"))
    (found,) = instances(call)
    assert (found["Status"], found["Message"], found["Failovers"]) == ("WAIT", "Unreachable: away", 1)
    call("StopDISyncInstance", **task(made))
    assert instances(call)[0]["StopTime"] is not None
    call("StartDISyncInstance", **task(made))
    assert (instances(call)[0]["Failovers"], instances(call)[0]["RowsRead"]) == (0, 0)
    call("StopDISyncInstance", **task(made))
    call("DeleteDISyncTask", **task(made))
    assert instances(call) == []


def test_the_list_is_filtered_and_paged(call: Call, made: int) -> None:
    assert [one["FileId"] for one in instances(call, FileId=made)] == [made]
    assert instances(call, FileId=99) == []
    other = int(create(call, TaskName="other", TaskContent=CODE)["FileId"])
    started(call, made)
    solved = int(solve(call, text("orders"), TaskName="solved")["FileId"])
    found = instances(call)
    assert [one["FileId"] for one in found] == sorted((one["FileId"] for one in found), reverse=True)
    owned = [one for one in found if one["SolutionId"] == solved]
    assert [one["TaskType"] for one in owned] == ["DI_REALTIME"]
    for more, wanted in (
        ({"Keyword": "sHO"}, [made]),
        ({"TaskType": "DI_SOLUTION"}, [solved]),
        ({"Status": "WAIT"}, [made]),
        ({"Status": "NORUN", "Keyword": "other"}, [other]),
        ({"PageNumber": 2, "PageSize": 3}, [made]),
        ({"Keyword": "%"}, []),
    ):
        assert [one["FileId"] for one in instances(call, **more)] == wanted
    assert call("ListDISyncInstances", **PROJECT, PageSize=1)["Data"]["TotalCount"] == 4
    for more in ({"Status": "ASLEEP"}, {"TaskType": "DI_OFFLINE"}, {"PageSize": 0}):
        with pytest.raises(ParamInvalid):
            instances(call, **more)


def test_each_table_is_where_its_splits_are(call: Call, services: Services, made: int) -> None:
    assert standings(call, made) == [("items", "public.items", "WAIT", 0), ("orders", "public.orders", "WAIT", 0)]
    started(call, made)
    run = Driven.claim(services)
    run.begins(part("orders"), part("orders", 1), part("items"), part("people"))
    run.wrote(part("orders"), 30, done=True)
    run.wrote(part("items"), 5, done=True)
    assert standings(call, made) == [
        ("items", "public.items", "FOLLOW", 100),
        ("orders", "public.orders", "LOAD", 50),
        ("people", "public.people", "WAIT", 0),
    ]
    run.ledger.fail({"people"}, "BadConfig: no")
    run.ledger.leave({"items"})
    assert standings(call, made)[::2] == [("items", "public.items", "GONE", 0), ("people", "public.people", "FAIL", 0)]
    (failed,) = tables(call, made, Status="FAIL")
    assert failed["Message"] == "BadConfig: no"
    (one,) = tables(call, made, Keyword="ORD")
    assert (one["RowsWritten"], one["Splits"], one["SplitsDone"]) == (30, 2, 1)
    assert [t["SourceTable"] for t in tables(call, made, PageNumber=2, PageSize=2)] == ["people"]
    with pytest.raises(ParamInvalid, match="one of WAIT, LOAD"):
        tables(call, made, Status="ASLEEP")


def test_a_task_without_a_log_is_done_and_one_without_a_load_follows(call: Call, services: Services) -> None:
    sources(call)
    for name, code, parts, standing in (
        ("copy", CODE, [part("orders")], ("orders", "public.orders", "DONE", 100)),
        ("log", CODE, [], ("orders", "public.orders", "FOLLOW", 100)),
    ):
        file_id = started(call, int(create(call, TaskName=name, TaskContent=code)["FileId"]))
        run = Driven.claim(services)
        if parts:
            run.ledger.begin([], parts)
            run.wrote(parts[0], 7, done=True)
        else:
            run.begins()
        assert standing in standings(call, file_id)
        run.ends(BadConfig("enough"))


def test_a_topic_is_shown_with_the_topic_that_it_goes_to(call: Call) -> None:
    """The task of GetDISyncTask's sample, whose target has another name."""
    (shown,) = tables(call, int(create(call, TaskName="topics")["FileId"]))
    names = shown["SourceTable"], shown["TargetTable"]
    assert names == ("dwd_tfc_opt_speed_rid_amap_rt_330000", "dwd_tfc_opt_speed_rid_amap_rt")


def test_a_solution_is_seen_by_its_own_id_and_by_its_tasks(call: Call, services: Services) -> None:
    sources(call)
    made = int(solve(call, text("orders", "items"))["FileId"])
    realtime = next(one["FileId"] for one in instances(call) if one["SolutionId"] == made)
    with services.store.write() as db:
        # Nobody answers at its source, so that it is deployed by hand.
        row = files.get(db, realtime)
        deployments.put(db, realtime, name=row.name, content=row.content, deployed_ms=1, deployer_id="root")
        rows.put(db, realtime, desired="RUN", started_ms=1)
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"))
    run.wrote(part("orders"), 9, done=True)
    run.ledger.fail({"items"}, "BadConfig: no")
    assert standings(call, made) == standings(call, realtime)
    found = {one["FileId"]: one for one in instances(call)}
    assert (found[made]["Status"], found[realtime]["Status"]) == ("RUN", "RUN")
    assert found[made]["SolutionStatus"] == "2" and found[realtime]["SolutionStatus"] is None
    assert found[made]["Message"].startswith("items is left behind")
    assert found[made]["RowsRead"] == found[realtime]["RowsRead"] == 9


def test_who_may_see_it(call: Call, services: Services, root: Caller, made: int) -> None:
    visitor = member(services, root, "vic", Role.VISITOR)
    assert len(instances(visitor)) == 1 and len(tables(visitor, made)) == 2
    stranger = member(services, root, "eve", None)
    theirs = stranger("CreateProject", ProjectIdentifier="eves", ProjectName="Eve's")["Data"]
    for action, parameters in (
        ("ListDISyncInstances", PROJECT),
        ("ListDISyncInstanceTables", {**PROJECT, "FileId": made}),
        ("ListDISyncInstanceTables", {"ProjectId": theirs, "FileId": made}),
    ):
        with pytest.raises(ForbiddenAccess):
            stranger(action, **parameters)
    with pytest.raises(Refused, match=r"fileId:\[99\] is invalid"):
        tables(call, 99)


def events(call: Call, file_id: int, **more: Any) -> list[Any]:
    answer = call("ListDISyncInstanceEvents", **PROJECT, FileId=file_id, **more)
    assert wrong("ListDISyncInstanceEvents", answer) == []
    return list(answer["Data"]["Events"])


def test_what_happened_is_told_newest_first(call: Call, services: Services, made: int) -> None:
    started(call, made)
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"))
    run.ledger.begin([], [part("people", 7)])
    added = SchemaChange(part("orders").table, part("orders").table, "ADDCOLUMN", "ALTER\0 TABLE 订单", Position("5"))
    for _ in range(2):  # the second time after a crash
        run.ledger.changed(added, Policy.NORMAL, "followed")
    run.ledger.leave({"items", "people"})
    run.ledger.fail({"orders"}, "BadConfig: no")
    run.ends(Unreachable("away"))
    call("StopDISyncInstance", **task(made))
    found = events(call, made, PageSize=100)
    kinds = ["STOP", "FAILOVER", "TABLE_FAIL", "TABLE_LEAVE", "DDL", "TABLE_JOIN", "RUN", "START"]
    assert [one["Type"] for one in found] == kinds
    told = {one["Type"]: one for one in found}
    assert (told["FAILOVER"]["Message"], told["TABLE_FAIL"]["Table"]) == ("Unreachable: away", "orders")
    assert (told["TABLE_JOIN"]["Table"], told["TABLE_LEAVE"]["Table"]) == ("people", "")
    assert json.loads(told["TABLE_LEAVE"]["Detail"]) == {"count": 2, "tables": ["items", "people"]}
    ddl = {"kind": "ADDCOLUMN", "policy": "NORMAL", "outcome": "followed", "statement": "ALTER TABLE 订单"}
    assert json.loads(told["DDL"]["Detail"]) == {**ddl, "position": "5"} and told["DDL"]["Table"] == "orders"
    assert [one["Type"] for one in events(call, made, EventType="DDL")] == ["DDL"]
    assert [one["Type"] for one in events(call, made, PageNumber=2, PageSize=7)] == ["START"]
    with pytest.raises(ParamInvalid):
        events(call, made, EventType="NOTHING")


def test_every_change_of_one_statement_is_told_once(call: Call, services: Services, made: int) -> None:
    started(call, made)
    run = Driven.claim(services)
    run.begins(part("orders"), part("items"))
    tables = [part(name).table for name in ("orders", "items")]
    gone = [
        SchemaChange(table, Table(table.name), "DROPTABLE", "DROP TABLE orders, items", Position("5"))
        for table in tables
    ]
    steps, table = [], tables[0]
    for name in ("a", "b", "c"):
        longer = replace(table, columns=(*table.columns, Column(name, Kind.STRING)))
        steps.append(SchemaChange(table, longer, "ADDCOLUMN", "ALTER TABLE orders …", Position("4")))
        table = longer
    for _ in range(2):  # the second time after a crash
        for change in (*steps, *gone):
            run.ledger.changed(change, Policy.NORMAL, "followed")
    found = [(one["Table"], json.loads(one["Detail"])) for one in reversed(events(call, made, EventType="DDL"))]
    assert [(table, detail["columns"]) for table, detail in found] == [
        *(("orders", name) for name in ("a", "b", "c")),
        *((table, "id, name") for table in ("orders", "items")),
    ]


def test_no_task_has_more_events_than_are_kept(call: Call, services: Services, made: int) -> None:
    with services.store.write() as db:
        for number in range(event_rows.KEPT + 5):
            happening.tell(db, made, happening.Kind.FAILOVER, f"number {number}")
    answer = call("ListDISyncInstanceEvents", **PROJECT, FileId=made, PageSize=1)["Data"]
    assert answer["TotalCount"] == event_rows.KEPT
    assert answer["Events"][0]["Message"] == f"number {event_rows.KEPT + 4}"
