"""The status of a solution: one digit for every state there is, each of the ten reached."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from disync.services.instances import State
from disync.services.solutions.state import RUNS, Facts, Status, status
from disync.services.solutions.steps import Figures, Progress, steps

SAMPLE = json.loads((Path(__file__).parent.parent / "golden" / "step-info.json").read_text())
UP = {"submitted": True, "deployed": True}


@pytest.mark.parametrize(
    ("digit", "facts"),
    [
        ("1", Facts()),
        ("4", Facts(**UP)),
        ("8", Facts(**UP, state=State.WAIT)),
        ("8", Facts(**UP, state=State.WAIT, begun=True, loaded=True, message="Unreachable: away")),
        ("2", Facts(**UP, state=State.WAIT, held=True)),
        ("2", Facts(**UP, state=State.RUN, held=True, begun=True)),
        ("0", Facts(**UP, state=State.RUN, held=True, begun=True, loaded=True)),
        ("7", Facts(**UP, state=State.KILLING, held=True, begun=True, loaded=True)),
        ("1", Facts(**UP, state=State.PAUSE, begun=True, loaded=True)),
        ("3", Facts(**UP, state=State.PAUSE, message="BadConfig: no")),
        ("3", Facts(**UP, state=State.PAUSE, begun=True, loaded=True, message="DirtyLimit: 1")),
        ("5", Facts(**UP, state=State.PAUSE, asks=True, message="NeedsConfirmation: t")),
        ("6", Facts(**UP, state=State.WAIT, confirming=True)),
        ("6", Facts(**UP, state=State.WAIT, confirming=True, held=True)),
        ("2", Facts(**UP, state=State.RUN, confirming=True, held=True, begun=True)),
        ("7", Facts(submitted=True)),
        ("9", Facts(deleted=True)),
        ("9", Facts(**UP, deleted=True, state=State.RUN)),
    ],
)
def test_each_state_has_its_digit(digit: str, facts: Facts) -> None:
    assert status(facts) == digit


def every() -> list[Facts]:
    flags = [
        dict(
            zip(
                ("deleted", "submitted", "deployed", "held", "asks", "confirming", "begun", "loaded"),
                values,
                strict=True,
            )
        )
        for values in product((False, True), repeat=8)
    ]
    return [
        Facts(state=state, message=message, **each) for each in flags for state in State for message in (None, "x: y")
    ]


def test_every_combination_has_one_digit_and_all_ten_are_reached() -> None:
    reached = {status(facts) for facts in every()}
    assert reached == set(Status) == set(RUNS)
    assert sorted(reached) == list("0123456789")


def test_every_combination_has_four_steps_in_the_published_form() -> None:
    figures = Figures(
        "rt", ["mm", "holo"], 2, 3, 1, 10, [Progress("a", 1, 1, 10), Progress("b", 2, 0, 0)], {"rowsRead": 1}
    )
    for facts in every():
        found = steps(facts, figures)
        assert [(step.id, step.name) for step in found] == [
            (0, "Precheck"),
            (1, "Create a base table"),
            (2, "Full synchronization"),
            (3, "Real-time synchronization"),
        ]
        for step in found:
            info = json.loads(step.info)
            assert list(info) == list(SAMPLE)
            assert list(info["fusionProps"]) == list(SAMPLE["fusionProps"])
            assert set(info["customProps"]) - {"summary"} == set(SAMPLE["customProps"])
            named = [column["dataIndex"] for column in info["customProps"]["columns"]]
            for row in info["fusionProps"]["dataSource"]:
                assert list(row) == named
            for column in info["customProps"]["columns"]:
                assert list(column) == list(SAMPLE["customProps"]["columns"][0])


def states(facts: Facts) -> list[str]:
    return [step.status for step in steps(facts, Figures("rt"))]


def test_steps_go_one_after_the_other() -> None:
    assert states(Facts()) == ["wait", "wait", "wait", "wait"]
    assert states(Facts(**UP)) == ["success", "wait", "wait", "wait"]
    assert states(Facts(**UP, state=State.WAIT, held=True)) == ["success", "run", "wait", "wait"]
    assert states(Facts(**UP, state=State.PAUSE, message="BadConfig: x")) == ["success", "fail", "wait", "wait"]
    asks = Facts(**UP, state=State.PAUSE, asks=True, message="NeedsConfirmation: x")
    assert states(asks) == ["success", "confirm", "wait", "wait"]
    running = Facts(**UP, state=State.RUN, held=True, begun=True)
    assert states(running) == ["success", "success", "run", "wait"]
    stopped = Facts(**UP, state=State.PAUSE, begun=True)
    assert states(stopped) == ["success", "success", "stop", "wait"]
    failed = Facts(**UP, state=State.PAUSE, begun=True, message="DirtyLimit: x")
    assert states(failed) == ["success", "success", "fail", "wait"]
    followed = Facts(**UP, state=State.RUN, held=True, begun=True, loaded=True)
    assert states(followed) == ["success", "success", "success", "run"]
    broken = Facts(**UP, state=State.PAUSE, begun=True, loaded=True, message="PositionGone: x")
    assert states(broken) == ["success", "success", "success", "fail"]


def test_the_real_time_step_begins_as_the_sample_does() -> None:
    info = json.loads(steps(Facts(**UP), Figures("holo_20221020161613"))[3].info)
    assert info["customProps"] == SAMPLE["customProps"]
    assert info["fusionProps"] == {"dataSource": [{"fileName": "holo_20221020161613", "status": "WAIT"}]}


def test_tables_show_their_own_state() -> None:
    behind = {"d": "DdlRefused: no", "e": "BadConfig: narrow"}
    shown = [
        Progress("d", 1, 0, 0, reason=behind["d"]),
        Progress("b", 2, 1, 5, node="di_b"),
        Progress("c", 1, 0, 0),
        Progress("a", 1, 1, 9),
    ]
    figures = Figures("rt", tables=4, parts=4, ended=2, rows=14, shown=shown)
    running = Facts(**UP, state=State.RUN, held=True, begun=True, behind=behind)
    info = json.loads(steps(running, figures)[2].info)
    told = [
        (r["tableName"], r["fileName"], r["rows"], r["progress"], r["status"])
        for r in info["fusionProps"]["dataSource"]
    ]
    assert told == [
        ("d", "", 0, "0/1", "FAIL"),
        ("b", "di_b", 5, "1/2", "RUN"),
        ("c", "", 0, "0/1", "WAIT"),
        ("a", "", 9, "1/1", "SUCCESS"),
    ]
    assert [row["message"] for row in info["fusionProps"]["dataSource"]] == ["DdlRefused: no", "", "", ""]
    assert info["customProps"]["summary"] == {"tables": 4, "shown": 4, "rows": 14, "progress": "2/4"}
    assert (
        running.told == "d and 1 more tables are left behind, and taken up again by a stop and a start: DdlRefused: no"
    )
    failed = Facts(**UP, state=State.PAUSE, begun=True, message="DirtyLimit: 3 rows")
    rows = json.loads(steps(failed, figures)[2].info)["fusionProps"]["dataSource"]
    assert [(row["status"], row["message"]) for row in rows] == [
        ("FAIL", "DdlRefused: no"),
        ("FAIL", "DirtyLimit: 3 rows"),
        ("FAIL", "DirtyLimit: 3 rows"),
        ("SUCCESS", ""),
    ]


def test_a_table_left_behind_is_no_success() -> None:
    followed = Facts(**UP, state=State.RUN, held=True, begun=True, loaded=True)
    assert status(followed) == "0"
    assert status(replace(followed, behind={"t": "no"})) == "2"
    assert (
        replace(followed, behind={"t": "no"}).told == "t is left behind, and taken up again by a stop and a start: no"
    )
