"""Waiting for what a server does in its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def until(done: Callable[[], bool], say: Callable[[], str] = str, seconds: float = 30) -> None:
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come to pass in {seconds:.0f} s: {say()}")
        pause.wait(0.05)
