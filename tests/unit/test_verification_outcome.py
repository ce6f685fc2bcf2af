"""What a comparison comes to: only what is shown to be equal is mended, and what is kept is what still differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from disync.engine.findings import Finding, TableReport, What, Why
from disync.engine.verify import Progress
from disync.model.compare import Method, Pair
from disync.model.data import Column, Table
from disync.model.reading import readable
from disync.model.types import Kind
from disync.services.verification import Repair, Verified
from disync.services.verifications import outcome
from disync.services.verifications.course import Course
from disync.services.verifications.outcome import State

SHAPE = Table("t", (Column("id", Kind.BIGINT), Column("v", Kind.STRING)), ("id",))


def row(number: int, what: What = What.MISSING, why: Why = Why.UNKNOWN) -> Finding:
    here, there = ({"id": str(number), "v": "x"}, None) if what is What.MISSING else ({"v": "x"}, {"v": "y"})
    return Finding(what, {"id": number}, (number,), () if there is None else ("v",), why, "", here, there)


def report(*found: Finding, name: str = "t", **more: Any) -> TableReport:
    return TableReport(
        name, f"public.{name}", Pair(SHAPE, SHAPE), Method(("", ""), (0,), 1), (9, 8), list(found), **more
    )


def verified(*tables: TableReport, left: Sequence[TableReport] | None = None, asked: int = 0) -> Verified:
    """`left` None: no repair was asked for."""
    return Verified(tables, True, None if left is None else Repair(asked, True, left))


def states(found: Verified) -> tuple[State, list[State]]:
    told = outcome.of(found)
    return told.state, [table.state for table in told.tables]


def test_equal_is_what_the_reports_say() -> None:
    assert states(verified(report(), report(name="u"))) == (State.EQUAL, [State.EQUAL, State.EQUAL])
    ruled = report(row(1, why=Why.RULED))
    assert states(verified(ruled)) == (State.EQUAL, [State.EQUAL])
    assert outcome.of(verified(ruled)).values["differences"] == 0
    unsettled = outcome.of(verified(report(unsettled=[{"id": 1}])))
    assert unsettled.state is State.EQUAL and "1 rows changed too fast" in unsettled.tables[0].message


@pytest.mark.parametrize("why", [why for why in Why if why is not Why.RULED])
def test_a_row_that_differs_is_a_difference_whatever_explains_it(why: Why) -> None:
    told = outcome.of(verified(report(row(1, why=why)), report(name="u")))
    assert (told.state, told.message) == (State.DIFFERENT, "1 row differs.")
    assert [table.state for table in told.tables] == [State.DIFFERENT, State.EQUAL]


def test_a_table_without_a_key_that_differs_as_a_whole() -> None:
    told = outcome.of(verified(report(whole=False)))
    assert told.state is State.DIFFERENT and told.values["differences"] == 1
    assert told.tables[0].message.startswith("It has no key")


def test_what_was_not_compared_to_its_end_is_no_difference_and_not_equal() -> None:
    told = outcome.of(verified(report(trouble="The source is away."), report(name="u")))
    assert (told.state, told.message) == (State.FAIL, "t: The source is away.")
    told = outcome.of(verified(report(trouble="The source is away."), report(row(1), name="u")))
    assert told.state is State.DIFFERENT
    assert told.message == "1 row differs. Not compared to their end: t."


def test_repaired_is_what_is_shown_to_be_equal_since() -> None:
    before = report(row(1), row(2, What.DIFFERENT))
    told = outcome.of(verified(before, report(name="u"), left=[report()], asked=2))
    assert (told.state, [table.state for table in told.tables]) == (State.REPAIRED, [State.REPAIRED, State.EQUAL])
    assert (told.values["differences"], told.values["repaired"]) == (0, 2)
    assert all(found.repaired for found in told.tables[0].found)


@pytest.mark.parametrize(
    ("before", "left", "whole", "table"),
    [
        pytest.param(report(row(1)), None, State.DIFFERENT, State.DIFFERENT, id="a task at rest"),
        pytest.param(report(row(1)), report(row(1)), State.DIFFERENT, State.DIFFERENT, id="it differs still"),
        pytest.param(
            report(row(1)), report(unsettled=[{"id": 1}]), State.DIFFERENT, State.DIFFERENT, id="it changes too fast"
        ),
        pytest.param(
            report(row(1)), report(trouble="away"), State.DIFFERENT, State.DIFFERENT, id="it could not be read again"
        ),
        pytest.param(
            report(row(1), trouble="given up"), report(), State.FAIL, State.FAIL, id="others were never looked at"
        ),
        pytest.param(
            report(row(1), row(2, why=Why.REFUSED)),
            report(row(2, why=Why.REFUSED)),
            State.DIFFERENT,
            State.DIFFERENT,
            id="the target refuses it",
        ),
    ],
)
def test_what_is_not_shown_is_not_repaired(
    before: TableReport, left: TableReport | None, whole: State, table: State
) -> None:
    repair = Repair(1, left is not None, [left] if left is not None else [])
    assert states(Verified([before], True, repair)) == (whole, [table])


def test_another_tables_trouble_is_not_mended_by_a_repair() -> None:
    found = verified(report(row(1)), report(name="u", trouble="away"), left=[report()], asked=1)
    assert states(found) == (State.FAIL, [State.REPAIRED, State.FAIL])
    found = verified(report(row(1)), report(name="u", whole=False), left=[report()], asked=1)
    assert states(found) == (State.DIFFERENT, [State.REPAIRED, State.DIFFERENT])


def test_nothing_to_repair_does_not_make_refused_rows_equal() -> None:
    assert states(verified(report(row(1, why=Why.REFUSED)), left=[], asked=0))[0] is State.DIFFERENT


def test_what_is_kept_is_chosen_after_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "MOST", 4)
    many = report(*(row(n) for n in range(100)))
    few = report(row(7, why=Why.REFUSED), name="u")
    left = report(row(60), row(90))
    told = outcome.of(verified(many, few, left=[left], asked=100))
    kept = [[(found.key, found.repaired) for found in table.found] for table in told.tables]
    assert kept == [[('{"id":60}', False), ('{"id":90}', False), ('{"id":0}', True)], [('{"id":7}', False)]]
    assert (told.tables[0].differing, told.tables[0].repaired, told.tables[0].counts) == (2, 98, {"missing": 100})


def test_every_table_has_some_rows_before_one_has_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "MOST", 5)
    told = outcome.of(verified(report(*(row(n) for n in range(100))), report(row(1), row(2), name="u")))
    assert [len(table.found) for table in told.tables] == [3, 2]


def test_what_is_kept_comes_back() -> None:
    told = outcome.of(verified(report(row(1, What.DIFFERENT)), report(name="u")))
    assert outcome.read(told.values["report"]) == told.tables
    (kept,) = told.tables[0].found
    assert (kept.key, kept.columns, kept.source, kept.target) == ('{"id":1}', ("v",), '{"v":"x"}', '{"v":"y"}')


def test_progress_is_known_as_it_goes() -> None:
    course = Course()
    assert course.take() == {}
    for name in ("t", "u"):
        course.tell(Progress(name))
    course.tell(Progress("t", 0, 0, 200))
    course.tell(Progress("t", 50, 1, 200))
    taken = course.take()
    assert (taken["tables_all"], taken["tables_done"], taken["rows_compared"]) == (2, 0, 50)
    tables = outcome.read(taken["report"])
    assert [(table.state, table.percent, table.differing) for table in tables] == [
        (State.RUN, 25, 1),
        (State.WAIT, 0, 0),
    ]
    assert course.take() == {}, "nothing has happened since"
    course.tell(Progress("t", 300, 1, 200))
    assert outcome.read(course.take()["report"])[0].percent == 99, "how many rows there are is an estimate"
    course.tell(Progress("t", 9, 1, report=report(row(1))))
    assert (course.take()["tables_done"], [table.state for table in course.tables]) == (
        1,
        [State.DIFFERENT, State.FAIL],
    )


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.BIGINT, 7, "7"),
        (Kind.STRING, None, None),
        (Kind.STRING, "a\0b", "a�b"),
        (Kind.STRING, "x" * 201, "x" * 200 + "…"),
        (Kind.STRING, "\ud800", "?"),
        (Kind.BOOLEAN, True, "true"),
        (Kind.BYTES, b"\x00\xff", "0x00ff"),
        (Kind.DATE, 19_000, "2022-01-08"),
        (Kind.DATE, 10**9, "1000000000"),
        (Kind.DATETIME, 1_500_000, "1970-01-01 00:00:01.500000"),
        (Kind.TIMESTAMP, -1_000_000, "1969-12-31 23:59:59Z"),
        (Kind.DATETIME, "infinity", "infinity"),
        (Kind.DECIMAL, "1.50", "1.50"),
        (Kind.DOUBLE, 0.5, "0.5"),
    ],
)
def test_values_are_shown_as_people_read_them(kind: Kind, value: object, text: str | None) -> None:
    assert readable(kind, value) == text
