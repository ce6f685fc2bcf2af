"""A run lends parts of its load, over the store: who may sit, how many read at once, and what comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from sqlalchemy import update
from test_dispatch import JOB, ROOT, dispatch, run, services, started  # noqa: F401

from disync.engine.helping import Sitting
from disync.engine.lending import Back, Lending, Returned, shapes_of
from disync.engine.placement import Seats, Size
from disync.model.data import Position, Table
from disync.model.errors import Fenced
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.services import Services
from disync.services.dispatch import StoreDispatch
from disync.services.placement import StoreBoard
from disync.store import instances
from disync.store.schema import seat
from disync.store.shares import Share
from waiting import until

PARTS = [Split(f"t/{number}", Table("t")) for number in range(20)]


@pytest.fixture
def task(services: Services, dispatch: StoreDispatch) -> Task:  # noqa: F811
    """A run of worker `w`, whose load is cut."""
    started(services)
    found = run(dispatch, "w")
    dispatch.ledger(found).begin([], PARTS)
    return found


@pytest.fixture
def lending(dispatch: StoreDispatch, task: Task) -> Iterator[Lending]:  # noqa: F811
    """Of a run with four channels, as its loop has it."""
    made = Lending(dispatch.desk(task), 4, threading.Event().set)
    made.begin(len(PARTS), [Table("t")])
    yield made
    made.end()


def sit(dispatch: StoreDispatch, worker: str) -> Sitting:  # noqa: F811
    found = dispatch.help.sit(worker)
    assert found is not None
    return found


def given(dispatch: StoreDispatch, sitting: Sitting) -> list[str]:  # noqa: F811
    return [split.id for split in dispatch.help.given(sitting)]


def test_nobody_sits_with_himself_and_no_worker_has_more_than_it_leaves(
    dispatch: StoreDispatch,  # noqa: F811
    lending: Lending,
) -> None:
    help_ = dispatch.help
    assert help_.sit("w") is None, "it has the task"
    assert help_.sit("a") is not None and help_.sit("a") is not None
    assert help_.sit("a") is None, "two are left to the run"
    assert help_.sit("b") is not None
    assert help_.sit("c") is None, "one channel is the run's own"
    until(lambda: len(lending.seats) == 3)


def test_who_is_there_for_nothing_else_may_take_the_last_channel(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
    lending: Lending,
) -> None:
    devoted = StoreDispatch(services.store, lambda *_: {}, Share(devoted=True))
    sittings = [sit(devoted, name) for name in "abcd"]
    assert devoted.help.sit("e") is None and dispatch.help.sit("e") is None
    until(lambda: len(lending.seats) == 4)
    lending.lend(PARTS[: lending.room(0)], 0)
    assert all(given(devoted, sitting) for sitting in sittings)


def test_a_cluster_hears_how_many_seats_are_free_and_who_has_one(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
    lending: Lending,
    task: Task,
) -> None:
    board = StoreBoard(services.store, Size())
    assert board.seats() == Seats({"group_default": 4}, set())
    dispatch.help.sit("a")
    assert board.seats() == Seats({"group_default": 3}, {"a"})
    with services.store.write() as db:
        instances.put(db, task.id, lease_until_ms=0)
    assert board.seats() == Seats({}, {"a"}), "a run that has fallen silent asks for nothing"
    with services.store.write() as db:
        instances.put(db, task.id, lease_until_ms=1 << 50)
    assert board.seats().free == {"group_default": 3}
    lending.none_left()
    assert board.seats().free == {}


def test_without_parts_to_spare_nothing_is_offered(dispatch: StoreDispatch, task: Task) -> None:  # noqa: F811
    lending = Lending(dispatch.desk(task), 4, threading.Event().set)
    lending.begin(4, [])
    assert dispatch.help.sit("a") is None
    lending.end()


def test_no_more_is_read_at_once_than_there_are_channels(dispatch: StoreDispatch, lending: Lending) -> None:  # noqa: F811
    """Two sit, and three of the run's own four are not done yet: one seat has nothing until they are."""
    first, second = sit(dispatch, "a"), sit(dispatch, "b")
    until(lambda: len(lending.seats) == 2)
    assert lending.room(2) == 0
    room = lending.room(1)
    lending.lend(PARTS[:room], 1)
    assert sorted(map(len, (given(dispatch, first), given(dispatch, second)))) == [0, room]
    assert lending.room(1) == 0
    lending.lend(PARTS[room : room + lending.room(0)], 0)
    assert given(dispatch, first) and given(dispatch, second)


def test_what_comes_back_comes_once_and_says_how(dispatch: StoreDispatch, lending: Lending) -> None:  # noqa: F811
    sitting = sit(dispatch, "a")
    until(lambda: len(lending.seats) == 1)
    lending.lend(PARTS[:2], 0)
    dispatch.help.give_back(sitting, Returned("t/0", Back.DONE))
    dispatch.help.give_back(sitting, Returned("t/1", Back.FAILED, "Unreachable: away"))
    found: list[tuple[Split, Returned]] = []
    until(lambda: bool(found.extend(lending.returned(Back.DONE, Back.FAILED))) or len(found) == 2)
    assert {(split.id, each.back, each.reason) for split, each in found} == {
        ("t/0", Back.DONE, ""),
        ("t/1", Back.FAILED, "Unreachable: away"),
    }
    assert not lending.out and given(dispatch, sitting) == []


def test_what_is_lent_to_a_seat_that_is_being_left_comes_back(dispatch: StoreDispatch, lending: Lending) -> None:  # noqa: F811
    sitting = sit(dispatch, "a")
    until(lambda: len(lending.seats) == 1)
    dispatch.help.leave(sitting)
    lending.lend(PARTS[:1], 0)
    until(lambda: [split.id for split, _ in lending.returned(Back.LEFT)] == ["t/0"])


def test_who_falls_silent_loses_the_seat_and_saves_no_more(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
    lending: Lending,
) -> None:
    sitting = sit(dispatch, "a")
    until(lambda: len(lending.seats) == 1)
    lending.lend(PARTS[:2], 0)
    ledger = dispatch.help.ledger(sitting)
    ledger.save(Checkpoint("t/0", Position("5"), sitting.task.epoch), [], Tally(rows_written=5))
    with services.store.write() as db:
        db.execute(update(seat).values(lease_until_ms=0))
    back: list[str] = []
    until(lambda: bool(back.extend(split.id for split, _ in lending.returned(Back.LEFT))) or len(back) == 2)
    with pytest.raises(Fenced):
        ledger.save(Checkpoint("t/0", Position("9"), sitting.task.epoch), [], Tally(rows_written=4))
    known = ledger.checkpoint("t/0")
    assert known is not None and known.position == "5", "from there the run reads it on"
    assert dispatch.help.hold("a") == set()


def test_the_seats_of_a_run_that_was_replaced_are_worth_nothing(dispatch: StoreDispatch, lending: Lending) -> None:  # noqa: F811
    sitting = sit(dispatch, "a")
    assert dispatch.help.hold("a") == {sitting.seat}
    dispatch.worker_died("w", "killed")
    until(lambda: dispatch.claim("v") is not None)
    assert dispatch.help.hold("a") == set()
    with pytest.raises(Fenced):
        dispatch.help.ledger(sitting).save(Checkpoint("t/0", Position("1"), sitting.task.epoch), [], Tally())


def test_what_was_deployed_since_is_read_by_nobody_for_the_run(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
    task: Task,
    lending: Lending,
) -> None:
    """The run goes on with the task that it was built from; a helper would be built from what is deployed now, and
    write to another place."""
    other = JOB.replace('"table":"b"', '"table":"c"')
    services.tasks.update(ROOT, 10000, task.id, other, None)
    services.tasks.deploy(ROOT, 10000, task.id)
    help_ = dispatch.help
    assert help_.sit("a") is None and help_.sit("a") is None
    until(lambda: len(lending.seats) == 0)
    services.tasks.update(ROOT, 10000, task.id, JOB, None)
    services.tasks.deploy(ROOT, 10000, task.id)
    assert sit(dispatch, "b").task.code == JOB


def test_whoever_knows_other_data_sources_than_the_run_does_not_help(
    services: Services,  # noqa: F811
    lending: Lending,
) -> None:
    elsewhere = StoreDispatch(services.store, lambda *_: {"there": {"jdbcUrl": "jdbc:postgresql://other/db"}})
    assert elsewhere.help.sit("a") is None
    assert StoreDispatch(services.store, lambda *_: {}).help.sit("a") is not None


def test_who_has_refused_a_run_is_given_no_seat_in_it_again(dispatch: StoreDispatch, lending: Lending) -> None:  # noqa: F811
    help_ = dispatch.help
    sitting = help_.sit("a")
    assert sitting is not None and sitting.shapes == shapes_of([Table("t")])
    help_.refuse(sitting)
    help_.leave(sitting)
    assert help_.sit("a") is None
    assert dispatch.help.sit("b") is not None


def test_a_run_begins_with_nothing_lent(dispatch: StoreDispatch, task: Task, lending: Lending) -> None:  # noqa: F811
    """The one before it, of the same epoch, could not close."""
    sitting = sit(dispatch, "a")
    until(lambda: len(lending.seats) == 1)
    lending.lend(PARTS[:2], 0)
    assert given(dispatch, sitting)
    again = Lending(dispatch.desk(task), 4, threading.Event().set)
    again.begin(len(PARTS), [Table("t")])
    assert given(dispatch, sitting) == [] and dispatch.help.hold("a") == set()
    again.end()


def test_what_cannot_be_told_waits_until_there_is_news(dispatch: StoreDispatch, task: Task) -> None:  # noqa: F811
    """It is not tried again at once, again and again."""
    woken = threading.Semaphore(0)
    lending = Lending(dispatch.desk(task), 4, woken.release)
    lending.begin(len(PARTS), [Table("t")])
    sit(dispatch, "a")
    assert woken.acquire(timeout=10)
    dispatch.worker_died("w", "killed")
    until(lambda: dispatch.claim("v") is not None)
    lending.lend(PARTS[:2], 0)
    assert {split.id for split, _ in lending.returned(Back.LEFT)} == {"t/0", "t/1"}
    assert not woken.acquire(blocking=False)
    lending.end()


def test_what_comes_back_is_never_nowhere() -> None:
    """A run ends when nothing is lent and nothing has come back: it must not look between the two."""
    lending, asked = Lending(None, 4, threading.Event().set), list[Future[bool]]()
    with ThreadPoolExecutor() as others:

        class Slow(dict[str, Split]):
            def pop(self, *given: Any) -> Any:
                found = super().pop(*given)
                asked.append(others.submit(lambda: lending.out))
                wait(asked, 0.5)
                return found

        lending._lent = Slow({"t/0": PARTS[0]})
        lending._seen(set(), [Returned("t/0", Back.LEFT)])
    assert [each.result() for each in asked] == [True]
