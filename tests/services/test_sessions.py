"""Sessions of the console, on both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from disync.services import Services
from disync.services import sessions as module
from disync.services.access import Caller
from disync.services.sessions import IDLE_MS, LIFE_MS, MOST, SEEN_MS
from disync.store.database import Store

KEY = ("rootKeyId", "rootSecret")
NOW = 1_800_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [NOW]
    monkeypatch.setattr(module, "now_ms", lambda: now[0])
    return now


def test_the_right_secret_of_an_active_key_opens_a_session(services: Services) -> None:
    session = services.sessions.open(*KEY)
    assert session is not None
    found = services.sessions.find(session.token)
    assert found == session
    assert found.caller == Caller("root", "root", root=True)
    assert (found.caller.door, found.access_key_id, found.csrf) == ("console", "rootKeyId", session.csrf)
    key = services.keys.find("rootKeyId")
    assert key is not None and found.caller.key == key.caller.key
    for wrong in (("rootKeyId", "rootSecrex"), ("rootKeyId", ""), ("nobody", "rootSecret"), ("rootKeyId", "é")):
        assert services.sessions.open(*wrong) is None
    services.keys.create_key("root")
    services.keys.switch(Caller("root", "root", root=True), key.caller.key, False)
    assert services.sessions.open(*KEY) is None
    assert services.sessions.find(session.token) is None


def test_a_session_that_is_closed_is_gone_and_no_other_is(services: Services) -> None:
    first, second = services.sessions.open(*KEY), services.sessions.open(*KEY)
    assert first is not None and second is not None
    assert first.csrf != second.csrf
    services.sessions.close(first.token)
    assert services.sessions.find(first.token) is None
    assert services.sessions.find(second.token) == second
    for unknown in ("", "nothing", "\udcff", first.token + "x"):
        assert services.sessions.find(unknown) is None


def test_a_session_ends_after_two_hours_of_silence_and_twelve_in_all(services: Services, clock: list[int]) -> None:
    silent, used = services.sessions.open(*KEY), services.sessions.open(*KEY)
    assert silent is not None and used is not None
    clock[0] = NOW + IDLE_MS - 1
    assert services.sessions.find(used.token) == used
    clock[0] = NOW + IDLE_MS
    assert services.sessions.find(silent.token) is None
    while clock[0] < NOW + LIFE_MS - SEEN_MS:
        assert services.sessions.find(used.token) == used
        clock[0] += SEEN_MS * 60
    clock[0] = NOW + LIFE_MS
    assert services.sessions.find(used.token) is None


def test_sessions_are_bounded(services: Services, store: Store, clock: list[int]) -> None:
    old = services.sessions.open(*KEY)
    assert old is not None
    made = []
    for _ in range(MOST):
        clock[0] += 1
        made.append(services.sessions.open(*KEY))
    assert services.sessions.find(old.token) is None
    assert all(session is not None and services.sessions.find(session.token) == session for session in made)
    clock[0] += LIFE_MS
    services.sessions.open(*KEY)
    assert store.quick.one("SELECT count(*) FROM session") == (1,)


def test_nothing_that_is_stored_or_shown_opens_a_session(services: Services, store: Store) -> None:
    session = services.sessions.open(*KEY)
    assert session is not None
    with store.read() as db:
        rows = str(db.exec_driver_sql("SELECT * FROM session").all())
    for text in (rows, repr(session)):
        assert session.token not in text
        assert session.csrf not in text
        assert "rootKeyId" not in text


def test_a_new_key_file_ends_all_sessions(services: Services, tmp_path: Path) -> None:
    session = services.sessions.open(*KEY)
    assert session is not None
    services.reseal()
    assert services.sessions.find(session.token) is None
