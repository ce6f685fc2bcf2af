"""A worker takes no more CUs than it has room for; what finds no room waits, and is told why."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update
from test_dispatch import ROOT, _no_sources, services  # noqa: F401
from test_turns import begun

from disync.model.errors import BadConfig
from disync.services import Services
from disync.services.clock import now_ms
from disync.services.dispatch import StoreDispatch
from disync.settings import Settings
from disync.store.schema import instance
from disync.store.shares import Share


@pytest.fixture
def roomy(services: Services) -> StoreDispatch:  # noqa: F811
    return StoreDispatch(services.store, _no_sources, Share(room=3.0))


def free_again(services: Services, file_id: int) -> None:  # noqa: F811
    with services.store.write() as db:
        ended = {"worker": None, "desired": "STOP", "lease_until_ms": 0, "running": False}
        db.execute(update(instance).where(instance.c.file_id == file_id).values(**ended))


def test_what_does_not_fit_waits_until_there_is_room_and_smaller_ones_pass_it_by(
    services: Services,  # noqa: F811
    roomy: StoreDispatch,
) -> None:
    first = begun(services, "first", 2)
    assert (task := roomy.claim("w")) is not None and task.id == first
    large = [begun(services, f"large{number}", 2) for number in range(9)]
    small = [begun(services, f"small{number}") for number in range(3)]
    taken = [roomy.claim("w") for _ in range(3)]
    assert [task and task.id for task in taken] == [*small[:2], None], "0.5 each where they say nothing"
    with services.store.write() as db:
        db.execute(update(instance).values(started_ms=now_ms() - 7000))
        db.execute(update(instance).where(instance.c.file_id.in_(large)).values(lease_until_ms=0))
    _, _, message = services.instances.info(ROOT, 10000, large[0])
    assert message is not None and "it takes 2 CU" in message and "DISYNC_WORKER_ROOM" in message
    assert StoreDispatch(services.store, _no_sources, Share(room=2.0)).claim("other") is not None
    free_again(services, first)
    assert (task := roomy.claim("w")) is not None and task.id in large


def test_a_task_that_is_larger_than_any_room_is_never_taken_and_told_what_it_asks_for(
    services: Services,  # noqa: F811
    roomy: StoreDispatch,
) -> None:
    huge = begun(services, "huge", 3.5)
    assert roomy.claim("w") is None
    with services.store.write() as db:
        db.execute(update(instance).values(started_ms=now_ms() - 7000))
    _, _, message = services.instances.info(ROOT, 10000, huge)
    assert message is not None and "start one that has room for its 3.5 CU (DISYNC_WORKER_ROOM)" in message
    assert StoreDispatch(services.store, _no_sources).claim("w") is not None, "who has no limit takes it"


@pytest.mark.parametrize("written", ["0.4", "much", "inf", "nan", "-1"])
def test_a_room_that_is_no_number_of_cus_is_refused(written: str) -> None:
    with pytest.raises(BadConfig, match=f"DISYNC_WORKER_ROOM is {written}: it is a number of CUs"):
        Settings.read(Path("/nowhere"), {"DISYNC_WORKER_ROOM": written})


def test_room_is_what_the_environment_says() -> None:
    assert Settings.read(Path("/nowhere"), {"DISYNC_WORKER_ROOM": "1.5"}).worker_room == 1.5
    assert Settings.read(Path("/nowhere"), {}).worker_room is None
