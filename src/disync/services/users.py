"""Users and their access keys, for those who manage them: root all of them, everybody else his own keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from disync.model.errors import ForbiddenAccess
from disync.services.access import Caller
from disync.services.keys import Keys, NewKey


class Users:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def list(self, caller: Caller) -> Sequence[dict[str, Any]]:
        """`id`, `name` and `root` of each."""
        _root(caller)
        return self._keys.list_users()

    def create(self, caller: Caller, user_id: str, name: str) -> None:
        _root(caller)
        self._keys.create_user(user_id, name)

    def keys(self, caller: Caller, user_id: str | None) -> Sequence[dict[str, Any]]:
        """As `Keys.list_keys` has them: of a user, or all that the caller may see."""
        if user_id is None and not caller.root:
            user_id = caller.user_id
        if user_id != caller.user_id:
            _root(caller)
        return [key for key in self._keys.list_keys() if user_id in (None, key["user_id"])]

    def create_key(self, caller: Caller, user_id: str) -> NewKey:
        _root(caller)
        return self._keys.create_key(user_id)

    def switch(self, caller: Caller, lookup: str, active: bool) -> None:
        """See `Keys.switch`, which knows whose key it is."""
        self._keys.switch(caller, lookup, active)


def _root(caller: Caller) -> None:
    if not caller.root:
        raise ForbiddenAccess()
