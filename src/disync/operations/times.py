"""Times as the API writes them as text: without a zone, in the vendor's one."""

from __future__ import annotations

from datetime import datetime

from disync.services.clock import ZONE

# Not strftime's %b, which follows the process's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def spelled(ms: int) -> str:
    """`Mar 17, 2021 4:09:32 PM`"""
    t = datetime.fromtimestamp(ms // 1000, ZONE)
    half = "AM" if t.hour < 12 else "PM"
    return f"{_MONTHS[t.month - 1]} {t.day}, {t.year} {t.hour % 12 or 12}:{t.minute:02}:{t.second:02} {half}"


def stamped(ms: int | None) -> str | None:
    """`2021-12-07 14:40:51`; None stays None."""
    return None if ms is None else f"{datetime.fromtimestamp(ms // 1000, ZONE):%Y-%m-%d %H:%M:%S}"
