"""Secrets at rest: each is sealed by a data key of its own, and that key by the key-encryption key of the key file.

A record is `version(1) key-id(8) nonce(12) wrapped-data-key(48) nonce(12) ciphertext`, AES-256-GCM twice. What the
secret belongs to (kind and ids) is authenticated with it, so a record copied to another row does not open there.
The key file has one key a line in base64: the first seals, all of them open.
"""

from __future__ import annotations

import os
import tempfile
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from disync.model.errors import Refused

_VERSION = b"\x01"
_WRAPPED = 9 + 12 + 48


class Vault:
    def __init__(self, keys: list[bytes]) -> None:
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def seal(self, secret: bytes, kind: str, *ids: object) -> bytes:
        belongs = _belongs(kind, ids)
        data_key = AESGCM.generate_key(256)
        outer, inner = os.urandom(12), os.urandom(12)
        wrapped = self._ciphers[self._current].encrypt(outer, data_key, self._current + belongs)
        return _VERSION + self._current + outer + wrapped + inner + AESGCM(data_key).encrypt(inner, secret, belongs)

    def open(self, record: bytes, kind: str, *ids: object) -> bytes:
        belongs = _belongs(kind, ids)
        record = bytes(record)
        key_id = record[1:9]
        cipher = self._ciphers.get(key_id)
        if record[:1] != _VERSION or cipher is None:
            raise Refused(f"A stored secret is sealed with the key {key_id.hex()}, which the key file does not have.")
        try:
            data_key = cipher.decrypt(record[9:21], record[21:_WRAPPED], key_id + belongs)
            return AESGCM(data_key).decrypt(record[_WRAPPED : _WRAPPED + 12], record[_WRAPPED + 12 :], belongs)
        except InvalidTag as error:
            raise Refused("A stored secret was altered, or moved from where it belongs.") from error

    def stale(self, record: bytes) -> bool:
        """Whether a record is sealed by an older key than the first of the file."""
        return bytes(record)[1:9] != self._current


def open_vault(home: Path, key_file: Path | None = None) -> Vault:
    """The vault of `home`/key, or of another key file; a file that is missing is made.

    Two processes that start at once end with one key.
    """
    path = key_file or home / "key"
    if path.is_dir():  # an earlier release made a folder of this name for it
        path = path / "key"
    if not path.exists():
        _make(path)
    try:
        keys = [b64decode(line, validate=True) for line in path.read_bytes().split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != 32 for key in keys):
        raise Refused(f"{path} is no key file: it needs lines of 32 bytes in base64.")
    return Vault(keys)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600; link fails where rename would overwrite the other process's key.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b64encode(os.urandom(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)


def _key_id(key: bytes) -> bytes:
    return sha256(b"disync key id" + key).digest()[:8]


def _belongs(kind: str, ids: tuple[object, ...]) -> bytes:
    return b"\0".join(str(part).encode() for part in (kind, *ids))
