"""Secrets at rest: sealed to where they belong, readable with older keys, in a file that only its owner reads."""

from __future__ import annotations

import os
import stat
import threading
from base64 import b64encode
from pathlib import Path

import pytest

from disync.model.errors import Refused
from disync.store.vault import Vault, open_vault

OLD, NEW = bytes(32), bytes(range(32))


def test_what_is_sealed_opens_and_shows_nothing(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    record = vault.seal(b"canary", "access_key", "a")
    assert vault.open(record, "access_key", "a") == b"canary"
    assert b"canary" not in record
    assert vault.seal(b"canary", "access_key", "a") != record


def test_a_record_opens_only_where_it_belongs() -> None:
    vault = Vault([NEW])
    record = vault.seal(b"secret", "data_source", 10000, 1, "name")
    for elsewhere in (("data_source", 10001, 1, "name"), ("access_key", 10000, 1, "name"), ("data_source", 10000, 1)):
        with pytest.raises(Refused, match="altered"):
            vault.open(record, *elsewhere)


def test_every_altered_byte_is_noticed() -> None:
    vault = Vault([NEW])
    record = vault.seal(b"secret", "kind")
    for index in range(len(record)):
        altered = bytearray(record)
        altered[index] ^= 1
        with pytest.raises(Refused):
            vault.open(bytes(altered), "kind")
    with pytest.raises(Refused):
        vault.open(b"", "kind")


def test_older_keys_open_and_the_first_one_seals() -> None:
    record = Vault([OLD]).seal(b"secret", "kind")
    both = Vault([NEW, OLD])
    assert both.open(record, "kind") == b"secret"
    assert both.stale(record)
    fresh = both.seal(b"secret", "kind")
    assert not both.stale(fresh)
    with pytest.raises(Refused, match="which the key file does not have"):
        Vault([OLD]).open(fresh, "kind")


def test_the_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        open_vault(tmp_path / "home")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "home" / "key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["key"]


def test_openers_at_the_same_moment_end_with_one_key(tmp_path: Path) -> None:
    vaults: list[Vault] = []
    barrier = threading.Barrier(8)

    def open_one() -> None:
        barrier.wait()
        vaults.append(open_vault(tmp_path))

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = vaults[0].seal(b"secret", "kind")
    assert [vault.open(record, "kind") for vault in vaults] == [b"secret"] * 8


def test_a_key_file_may_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b64encode(NEW) + b"\n" + b64encode(OLD) + b"\n")
    vault = open_vault(tmp_path / "home", tmp_path / "mine")
    assert vault.open(Vault([OLD]).seal(b"secret", "kind"), "kind") == b"secret"
    assert not (tmp_path / "home").exists()


def test_a_key_that_an_earlier_release_put_into_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "key").write_bytes(b64encode(OLD) + b"\n")
    record = Vault([OLD]).seal(b"secret", "kind")
    assert open_vault(tmp_path).open(record, "kind") == b"secret"
    assert open_vault(tmp_path / "home", tmp_path / "key").open(record, "kind") == b"secret"


@pytest.mark.parametrize("text", ["", "c2hvcnQ=\n", "not base64!\n"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(Refused, match="no key file"):
        open_vault(tmp_path)
