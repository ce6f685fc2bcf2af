"""Slows down whoever guesses secrets: after a few failures each further attempt has to wait, longer and longer.

Counted for the key that is tried and for the address that tries, so that neither many keys nor many addresses help.
In this process's memory, which is bounded: what is not tried any more is forgotten.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from disync.model.errors import ApiError

FREE = 5
"""Failures without any wait."""

LONGEST = 60.0
"""Seconds. Whoever is locked out by somebody else's guesses gets in after this time at the latest."""

FORGOTTEN = 15 * 60.0
REMEMBERED = 10_000


class TooSoon(ApiError):
    """429 Throttling.User; `seconds`: after which the next attempt is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(429, "Throttling.User", f"Too many attempts failed. Try again in {math.ceil(seconds)} s.")
        self.seconds = seconds


class Attempts:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, access_key_id: str, address: str) -> None:
        """Count an attempt as failed until `succeed` says otherwise, so that many at once are many. Raises TooSoon."""
        now = self._clock()
        with self._lock:
            names = _names(access_key_id, address)
            wait = max(self._wait(name, now) for name in names)
            if wait > 0:
                raise TooSoon(wait)
            for name in names:
                count, _ = self._failures.pop(name, (0, now))
                self._failures[name] = count + 1, now
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def succeed(self, access_key_id: str, address: str) -> None:
        """The key was the right one: its failures are forgotten; of the address only this attempt is."""
        key, place = _names(access_key_id, address)
        with self._lock:
            self._failures.pop(key, None)
            count, at = self._failures.get(place, (0, 0.0))
            if count > 1:
                self._failures[place] = count - 1, at
            else:
                self._failures.pop(place, None)

    def _wait(self, name: str, now: float) -> float:
        """Seconds that an attempt under this name still has to wait."""
        count, at = self._failures.get(name, (0, now))
        if now - at >= FORGOTTEN:
            del self._failures[name]
            return 0.0
        if count < FREE:
            return 0.0
        return at + min(LONGEST, 2.0 ** min(count - FREE, 10)) - now


def _names(access_key_id: str, address: str) -> tuple[str, str]:
    return f"key {sha256(access_key_id.encode()).hexdigest()}", f"from {_network(address)}"


def _network(address: str) -> str:
    """Of IPv6 the network of 64 bits: whoever has one address of it has them all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
