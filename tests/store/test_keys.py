"""Access keys and nonces, on both stores."""

from __future__ import annotations

import threading
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import pytest

from disync.model.errors import ForbiddenAccess, Refused
from disync.services import Services, open_services
from disync.services.access import Caller, Place, Role
from disync.services.keys import KNOWN_SECONDS, NewKey, lookup_of
from disync.services.nonces import KEPT_MS
from disync.store.database import Store, open_store
from disync.store.vault import Vault, open_vault

NOW = 1_800_000_000.0
LOCAL = Caller("root", "root", root=True)
"""Root without a key, as at the command line."""


def test_the_first_start_makes_a_root_key_and_shows_it_once(store: Store, tmp_path: Path) -> None:
    services = open_services(store, open_vault(tmp_path))
    made = services.bootstrap()
    assert made is not None
    assert services.bootstrap() is None
    key = services.keys.find(made.id)
    assert key is not None
    assert (key.secret, key.active, key.caller.root) == (made.secret, True, True)
    assert services.workspaces.get(key.caller, Place(10000)).identifier == "default"
    assert [group.identifier for group in services.resource_groups.list(key.caller, None, None)] == ["group_default"]


def test_a_given_root_key_is_taken_and_may_change_its_secret(services: Services) -> None:
    assert services.bootstrap("rootKeyId", "another") is None
    key = services.keys.find("rootKeyId")
    assert key is not None
    assert key.secret == "another"
    assert len(services.keys.list_keys()) == 1
    with pytest.raises(Refused, match="both"):
        services.bootstrap("rootKeyId", None)


def test_starts_at_the_same_moment_make_one_root(store_url: str | None, tmp_path: Path) -> None:
    stores = [open_store(tmp_path, store_url) for _ in range(4)]
    made: list[object] = []
    barrier = threading.Barrier(4)

    def start(store: Store) -> None:
        barrier.wait()
        made.append(open_services(store, open_vault(tmp_path)).bootstrap())

    threads = [threading.Thread(target=start, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert sum(key is not None for key in made) == 1
    for store in stores:
        store.close()


def test_nothing_that_is_stored_or_shown_has_a_secret_in_it(services: Services, store: Store) -> None:
    made = services.keys.create_key("root")
    with store.read() as db:
        rows = str(db.exec_driver_sql("SELECT * FROM access_key").all())
    for text in (rows, repr(made), repr(services.keys.find(made.id)), str(services.keys.list_keys())):
        assert made.secret not in text
        assert made.id not in text


def test_a_switched_off_key_is_known_and_inactive(services: Services) -> None:
    services.keys.create_user("ann")
    made = services.keys.create_key("ann")
    services.keys.switch(LOCAL, lookup_of(made.id), False)
    key = services.keys.find(made.id)
    assert key is not None
    assert (key.active, key.caller) == (False, Caller("ann", "ann"))
    services.keys.switch(LOCAL, lookup_of(made.id), True)
    key = services.keys.find(made.id)
    assert key is not None
    assert key.active
    assert services.keys.find("unknown") is None
    assert services.keys.find("\udcff") is None


def test_users_and_keys_that_cannot_be_are_refused(services: Services) -> None:
    with pytest.raises(Refused, match="already"):
        services.keys.create_user("root")
    with pytest.raises(Refused, match="1 to 64"):
        services.keys.create_user("")
    with pytest.raises(Refused, match="no user"):
        services.keys.create_key("nobody")
    with pytest.raises(Refused, match="no such access key"):
        services.keys.switch(LOCAL, "nothing", False)
    services.keys.create_user("ann")
    with pytest.raises(Refused, match="another user"):
        services.bootstrap(*_pair(services.keys.create_key("ann")))


def _pair(made: object) -> tuple[str, str]:
    return made.id, made.secret  # type: ignore[attr-defined]


def test_a_new_key_file_reseals_everything(services: Services, store: Store, root: Caller, tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = path.read_bytes()
    path.write_bytes(b64encode(bytes(range(32))) + b"\n" + before)
    both = open_services(store, open_vault(tmp_path))
    assert both.reseal() == 1
    assert both.reseal() == 0
    only_new = open_services(store, Vault([bytes(range(32))]))
    key = only_new.keys.find("rootKeyId")
    assert key is not None
    assert key.secret == "rootSecret"


def test_a_store_does_not_start_with_somebody_elses_key_file(services: Services, store: Store) -> None:
    with pytest.raises(Refused, match="key file does not have"):
        open_services(store, Vault([bytes(32)])).bootstrap()


def test_members_have_roles(services: Services, root: Caller) -> None:
    services.keys.create_user("ann", "Ann")
    services.workspaces.set_member(root, Place(10000), "ann", Role.OWNER)
    ann = Caller("ann", "Ann")
    services.keys.create_user("bob")
    services.workspaces.set_member(ann, Place(identifier="default"), "bob", Role.VISITOR)
    listed = services.workspaces.members(Caller("bob", "bob"), Place(10000))
    assert [(row["user_id"], row["role"]) for row in listed] == [
        ("ann", "owner"),
        ("bob", "visitor"),
        ("root", "owner"),
    ]
    with pytest.raises(ForbiddenAccess):
        services.workspaces.set_member(Caller("bob", "bob"), Place(10000), "bob", Role.OWNER)
    services.workspaces.set_member(ann, Place(10000), "bob", None)
    with pytest.raises(ForbiddenAccess):
        services.workspaces.members(Caller("bob", "bob"), Place(10000))
    with pytest.raises(Refused, match="no user"):
        services.workspaces.set_member(ann, Place(10000), "eve", Role.VISITOR)


def test_a_nonce_is_taken_for_31_minutes_by_whichever_process(
    services: Services, store_url: str | None, tmp_path: Path
) -> None:
    assert services.nonces.claim("key", "n", NOW)
    assert not services.nonces.claim("key", "n", NOW)
    assert services.nonces.claim("other", "n", NOW)
    assert services.nonces.claim("ke", "yn", NOW)
    again = open_store(tmp_path, store_url)
    other = open_services(again, open_vault(tmp_path))
    assert not other.nonces.claim("key", "n", NOW + KEPT_MS / 1000 - 0.01)
    assert other.nonces.claim("key", "n", NOW + KEPT_MS / 1000)
    assert not services.nonces.claim("key", "n", NOW + KEPT_MS / 1000)
    again.close()


def test_of_claims_at_the_same_moment_one_wins(store_url: str | None, tmp_path: Path) -> None:
    stores = [open_store(tmp_path, store_url) for _ in range(2)]
    made = [open_services(store, Vault([bytes(32)])).nonces for store in stores]
    barrier = threading.Barrier(8)
    won: list[int] = []

    def claim(number: int) -> None:
        barrier.wait()
        won.extend(i for i in range(50) if made[number % 2].claim("key", f"{i}", NOW))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(50))
    for store in stores:
        store.close()


def test_old_nonces_are_forgotten(services: Services, store: Store) -> None:
    """In PostgreSQL; how the file beside SQLite uses its room again is in test_nonce_file.py."""
    later = NOW + KEPT_MS / 1000 + 300
    assert all(services.nonces.claim("key", f"{i}", NOW + i) for i in range(600))
    assert all(services.nonces.claim("key", f"later {i}", later) for i in range(600))
    if store.sqlite:
        return
    left = store.quick.one("SELECT count(*) FROM nonce WHERE expires_ms <= ?", (int(later * 1000),))
    assert left == (0,)
    assert store.quick.one("SELECT count(*) FROM nonce") == (600 + 299,)


def test_a_key_switched_off_elsewhere_stops_within_a_second(
    services: Services, store_url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("disync.services.keys.time", SimpleNamespace(monotonic=lambda: now[0]))
    again = open_store(tmp_path, store_url)
    other = open_services(again, open_vault(tmp_path))
    assert services.keys.find("rootKeyId") is services.keys.find("rootKeyId"), "remembered"
    assert services.keys.find("laterKeyId") is None
    other.keys.create_key("root")
    other.keys.switch(LOCAL, lookup_of("rootKeyId"), False)
    with again.write() as db:
        other.keys.put(db, "root", NewKey("laterKeyId", "laterSecret"))
    again.close()
    found = services.keys.find("laterKeyId")
    assert found is not None and found.secret == "laterSecret", "what was not there is not remembered"
    now[0] += KNOWN_SECONDS
    key = services.keys.find("rootKeyId")
    assert key is not None and not key.active
