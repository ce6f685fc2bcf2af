"""The time, in the unit of the store, and the vendor's zone."""

from __future__ import annotations

import time
from datetime import timedelta, timezone

ZONE = timezone(timedelta(hours=8))
"""In which the API's texts and names tell times. China has no summer time."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000
