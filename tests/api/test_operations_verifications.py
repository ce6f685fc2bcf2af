"""Verifications through the operations, on both stores: who may ask, how many run, and what is told of one that ended
by itself. What they find is tested with real databases, in tests/e2e/test_verifications.py."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating import PROJECT, Call, both_data_sources, create, member, task
from shapes import wrong
from solving import solution, solve, sources, text

from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services
from disync.services.access import Caller, Role
from disync.services.clock import now_ms
from disync.services.verifications import holding, outcome, verifications
from disync.services.verifications.holding import Holding, Lost, failed
from disync.services.verifications.outcome import State, Table
from disync.store import verifications as rows


def asked(call: Call, action: str, **more: Any) -> Any:
    answer = call(action, **PROJECT, **more)
    assert wrong(action, answer) == []
    return answer["Data"]


def start(call: Call, file_id: int, **more: Any) -> int:
    data = asked(call, "StartDISyncVerification", FileId=file_id, **more)
    assert (data["Status"], data["Message"]) == ("success", None)
    return int(data["VerificationId"])


def get(call: Call, verification_id: int, **more: Any) -> Any:
    return asked(call, "GetDISyncVerification", VerificationId=verification_id, **more)


def listed(call: Call, file_id: int, **more: Any) -> Any:
    return asked(call, "ListDISyncVerifications", FileId=file_id, **more)


def taken(services: Services, verification_id: int, holder: str = "me", left_ms: int = 60_000) -> None:
    with services.store.write() as db:
        assert rows.claim(db, verification_id, holder, now_ms(), now_ms() + left_ms)


def lapse(services: Services, verification_id: int) -> None:
    """Let the lease of one that somebody has, or nobody, end now."""
    with services.store.write() as db:
        row = rows.get(db, verification_id)
        assert rows.hold(db, verification_id, row.holder, now_ms(), until_ms=now_ms() - 1)


@pytest.fixture
def solutions(call: Call) -> list[int]:
    """Running solutions from MySQL to Hologres."""
    sources(call)
    found = []
    for name in ("one", "two", "three"):
        found.append(int(solve(call, text("orders", "items"), TaskName=name)["FileId"]))
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            assert call(action, **solution(found[-1]))["Data"]["Status"] == "success"
    return found


def test_one_is_asked_for_and_seen_under_the_solution_and_its_task(call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0], Tables='["orders","orders"]', Repair=True, Most=7)
    seen = get(call, one)
    assert (seen["State"], seen["Repair"], seen["Chosen"], seen["EndTime"]) == ("RUN", True, ["orders"], None)
    assert (seen["Tables"], seen["Progress"], seen["User"], seen["Message"]) == ([], 0, "root", "")
    assert seen["FileId"] not in solutions, "it is the solution's real-time task that is compared"
    for file_id in (solutions[0], seen["FileId"]):
        data = listed(call, file_id)
        assert [each["VerificationId"] for each in data["Verifications"]] == [one]
        assert (data["TotalCount"], data["Hindrance"]) == (1, "")
    assert listed(call, solutions[1])["Verifications"] == []


def test_developers_start_them_and_visitors_see_them(
    services: Services, root: Caller, call: Call, solutions: list[int]
) -> None:
    visitor, developer = (member(services, root, role, role) for role in (Role.VISITOR, Role.DEVELOPER))
    stranger = member(services, root, "eve", None)
    for who in (visitor, stranger):
        for more in ({}, {"Repair": True}):
            with pytest.raises(ForbiddenAccess):
                start(who, solutions[0], **more)
    assert listed(call, solutions[0])["TotalCount"] == 0
    one = start(developer, solutions[0])
    assert get(visitor, one)["User"] == Role.DEVELOPER
    with pytest.raises(ForbiddenAccess):
        asked(visitor, "StopDISyncVerification", VerificationId=one)
    assert listed(visitor, solutions[0])["TotalCount"] == 1
    for look in (get, listed):
        with pytest.raises(ForbiddenAccess):
            look(stranger, one)


def test_another_workspaces_are_not_to_be_seen(call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0])
    other = call("CreateProject", ProjectIdentifier="other", ProjectName="Other")["Data"]
    for project, number in ((other, one), (10000, 99)):
        for action in ("GetDISyncVerification", "StopDISyncVerification"):
            with pytest.raises(Refused, match=rf"VerificationId:\[{number}\] is invalid"):
                call(action, ProjectId=project, VerificationId=number)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"Tables": "orders"}, "Tables: a JSON list"),
        ({"Tables": "[1]"}, "Tables: a JSON list"),
        ({"Tables": "[" * 5000}, "Tables: a JSON list"),
        ({"Most": 0}, "Most: from 1 to 100,000"),
        ({"Most": 100_001}, "Most: from 1 to 100,000"),
    ],
)
def test_what_is_asked_for_must_make_sense(call: Call, solutions: list[int], more: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamInvalid, match=said):
        start(call, solutions[0], **more)


def test_two_run_at_once_and_one_of_a_task(services: Services, call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0])
    with pytest.raises(Refused, match=f"Verification {one} of this task is still running: wait"):
        start(call, solutions[0])
    with pytest.raises(Refused, match=f"Verification {one} of this task"):
        start(call, get(call, one)["FileId"])
    two = start(call, solutions[1])
    with pytest.raises(Refused, match="2 verifications are running already, as many as may be at once"):
        start(call, solutions[2])
    taken(services, two)
    holding.end(services.store, two, "me", failed("No."))
    three = start(call, solutions[2])
    lapse(services, one)
    assert start(call, solutions[0]) > three, "whose lease has ended keeps no place"


def test_one_that_nobody_takes_up_or_whose_process_is_gone_has_failed(
    services: Services, call: Call, solutions: list[int]
) -> None:
    nobodys, silent = start(call, solutions[0]), start(call, solutions[1])
    taken(services, silent)
    assert {get(call, one)["State"] for one in (nobodys, silent)} == {"RUN"}
    for one in (nobodys, silent):
        lapse(services, one)
    assert "is `disync serve` running? Start it again." in get(call, nobodys)["Message"]
    seen = get(call, silent)
    assert seen["State"] == "FAIL" and "Its process fell silent" in seen["Message"] and seen["EndTime"] is not None
    (told,) = listed(call, solutions[1])["Verifications"]
    assert (told["State"], told["Message"], told["EndTime"]) == ("FAIL", seen["Message"], seen["EndTime"])


def test_a_zombie_cannot_speak_for_one_that_has_failed(services: Services, call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0])
    taken(services, one)
    assert not holding.renew(services.store, one, "another")
    assert holding.renew(services.store, one, "me")
    lapse(services, one)
    assert not holding.renew(services.store, one, "me")
    holding.end(services.store, one, "me", failed("I am late."))
    assert "fell silent" in get(call, one)["Message"]
    events = call("ListDISyncInstanceEvents", **PROJECT, FileId=solutions[0], EventType="VERIFY")["Data"]["Events"]
    assert events == []


def test_one_is_stopped_whoever_has_it_and_makes_room_at_once(
    services: Services, call: Call, solutions: list[int]
) -> None:
    waiting, held = start(call, solutions[0]), start(call, solutions[1])
    taken(services, held)
    tables = [Table("items", state=State.EQUAL, percent=100), Table("orders", state=State.RUN, percent=40)]
    assert holding.renew(services.store, held, "me", **outcome.summary(tables))
    for one in (waiting, held):
        assert asked(call, "StopDISyncVerification", VerificationId=one) == {"Status": "success", "Message": None}
        with pytest.raises(Refused, match=f"Verification {one} has ended already"):
            asked(call, "StopDISyncVerification", VerificationId=one)
    with services.store.read() as db:
        assert rows.waiting(db, now_ms()) == [], "nobody takes up what was stopped"
    seen = get(call, held)
    assert (seen["State"], seen["Message"], seen["Progress"]) == ("STOPPED", "Stopped by root.", 70)
    assert seen["EndTime"] is not None and (seen["TablesDone"], seen["TableCount"]) == (1, 2)
    assert [(table["SourceTable"], table["Result"]) for table in seen["Tables"]] == [
        ("orders", "STOPPED"),
        ("items", "EQUAL"),
    ]
    assert not holding.renew(services.store, held, "me"), "so its process ends"
    holding.end(services.store, held, "me", failed("I am late."))
    assert get(call, held)["Message"] == "Stopped by root."
    with pytest.raises(Refused, match="has ended"):
        services.verifications.carry(held, "me")
    events = call("ListDISyncInstanceEvents", **PROJECT, FileId=solutions[1], EventType="VERIFY")["Data"]["Events"]
    assert [json.loads(event["Detail"]) for event in events] == [{"verification": held, "state": "STOPPED"}]
    start(call, solutions[1])
    start(call, solutions[2])


def test_one_that_was_stopped_asks_for_no_repair(services: Services, call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0], Repair=True)
    taken(services, one)
    held = Holding(services.store, one, "me", lambda: None)
    with services.store.write() as db:
        held.confirm(db)
    asked(call, "StopDISyncVerification", VerificationId=one)
    with services.store.write() as db, pytest.raises(Lost, match="it was stopped"):
        held.confirm(db)


def test_what_a_repair_has_asked_for_before_it_was_stopped_is_told(
    services: Services, call: Call, solutions: list[int]
) -> None:
    one = start(call, solutions[0], Repair=True)
    taken(services, one)
    done = [Table("orders", state=State.DIFFERENT, percent=100, differing=1)]
    assert holding.renew(services.store, one, "me", **outcome.summary(done))
    asked(call, "StopDISyncVerification", VerificationId=one)
    assert get(call, one)["Message"].endswith("What its repair has asked the task for is written all the same.")


def test_only_its_holder_carries_one_out(services: Services, call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0])
    with pytest.raises(Refused, match="somebody else's"):
        services.verifications.carry(one, "me")
    taken(services, one)
    with pytest.raises(Refused, match="no longer there"):
        services.verifications.carry(one + 1, "me")
    assert get(call, one)["State"] == "RUN"


def test_how_one_ended_is_told_once(services: Services, call: Call, solutions: list[int]) -> None:
    one = start(call, solutions[0])
    taken(services, one)
    holding.end(services.store, one, "me", failed("The source is\0 away."))
    holding.end(services.store, one, "me", failed("Again."))
    assert (get(call, one)["State"], get(call, one)["Message"]) == ("FAIL", "The source is away.")
    (event,) = call("ListDISyncInstanceEvents", **PROJECT, FileId=solutions[0], EventType="VERIFY")["Data"]["Events"]
    assert event["Message"] == "The source is away."
    assert json.loads(event["Detail"]) == {"verification": one, "state": "FAIL"}


def test_the_newest_are_kept_and_none_of_a_deleted_task(
    services: Services, call: Call, solutions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifications, "KEPT", 3)
    made = []
    for _ in range(5):
        made.append(start(call, solutions[0]))
        taken(services, made[-1])
        holding.end(services.store, made[-1], "me", failed("No."))
    made.append(start(call, solutions[0]))
    kept = listed(call, solutions[0], PageSize=2)
    assert kept["TotalCount"] == 3
    assert [each["VerificationId"] for each in kept["Verifications"]] == [made[-1], made[-2]]
    call("TerminateDISyncInstance", **solution(solutions[0]))
    call("DeleteDISyncTask", **solution(solutions[0]))
    with pytest.raises(Refused, match="is invalid"):
        get(call, made[-1])


def test_a_task_that_cannot_be_verified_is_told_why(call: Call) -> None:
    both_data_sources(call)
    file_id = int(create(call, TaskName="hub")["FileId"])
    said = "The task is not deployed: there is nothing to compare."
    assert listed(call, file_id)["Hindrance"] == said
    with pytest.raises(Refused, match=said):
        start(call, file_id)
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        call(action, **task(file_id))
    said = "datahub is no database that computes checksums of its rows: this task cannot be verified."
    assert listed(call, file_id)["Hindrance"] == said
    with pytest.raises(Refused, match=said):
        start(call, file_id)


def test_one_that_was_never_started_has_nothing_to_compare(call: Call) -> None:
    sources(call)
    file_id = int(solve(call, text("orders"), TaskName="new")["FileId"])
    call("DeployDISyncTask", **solution(file_id))
    assert "has not been started" in listed(call, file_id)["Hindrance"]


def test_asking_is_recorded(call: Call, solutions: list[int]) -> None:
    start(call, solutions[0], Repair=True)
    with pytest.raises(Refused):
        start(call, solutions[0])
    events = call("ListAuditEvents", **PROJECT, AuditAction="StartDISyncVerification")["Data"]["Events"]
    assert [event["Code"] for event in events] == ["Invalid.Operation", "OK"]
    assert json.loads(events[1]["Parameters"])["Repair"] is True
