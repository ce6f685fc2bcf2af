"""Work on somebody else's machine, with a limit on its time and on how often a user may ask for it.

A probe that hangs keeps its thread until its own time limit; that is why there are few threads, and none is waited for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from disync.model.errors import ApiError, Unreachable

T = TypeVar("T")

AT_ONCE = 8
PER_MINUTE = 60
_REMEMBERED = 10_000
UNREACHED = "The data source cannot be reached: check its address, and whether it is running."


class Probes:
    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._asked: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def run(self, user_id: str, work: Callable[[], T], seconds: float, late: str) -> T:
        """The result of `work`. Raises Unreachable(`late`) after `seconds`, and 429 for one who asks too often.

        Why a system is not reached is not told: refused, filtered and unknown would map a network for the asker.
        """
        self._admit(user_id)
        if not self._slots.acquire(timeout=seconds):
            raise Unreachable(late)
        done: Future[T] = Future()
        threading.Thread(target=self._work, args=(work, done), name="probe", daemon=True).start()
        try:
            return done.result(seconds)
        except TimeoutError as error:
            raise Unreachable(late) from error
        except Unreachable as error:
            raise Unreachable(UNREACHED) from error

    def _work(self, work: Callable[[], T], done: Future[T]) -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)
        finally:
            self._slots.release()

    def _admit(self, user_id: str) -> None:
        now = time.monotonic()
        with self._lock:
            if len(self._asked) > _REMEMBERED:
                self._asked.clear()
            asked = self._asked.setdefault(user_id, deque())
            while asked and asked[0] <= now - 60:
                asked.popleft()
            if len(asked) >= PER_MINUTE:
                raise ApiError(429, "Throttling.User", "Request was denied due to user flow control.")
            asked.append(now)
