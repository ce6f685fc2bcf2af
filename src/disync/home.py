"""What every process of an installation begins with: its log, its store, and the services over it."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Set
from contextlib import suppress
from typing import TextIO, cast

import structlog

from disync.model.errors import BadConfig
from disync.services import Services, open_services
from disync.services.dispatch import StoreDispatch
from disync.services.resource_groups import DEFAULT
from disync.settings import Settings
from disync.store.database import Store, open_store
from disync.store.migrations import HEAD, migrate, revision
from disync.store.shares import Share
from disync.store.vault import open_vault

CLOCK_MS = 2000
"""By how much the clocks of machines that share a store may differ: a lease is 10 s long."""


class _StandardError:
    """Who cannot log goes on with his work: a disk that is full, or a reader that is gone, must not end the thread of a
    run or of a supervisor, of which nobody would hear again."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logging() -> None:
    """Logs go to standard error, one event a line; standard output is for what a script may read."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="timestamp=%(asctime)s level=%(levelname)s event=%(message)r"
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(cast(TextIO, _StandardError())),
    )


def open_home(settings: Settings) -> tuple[Store, Services]:
    """The store with its tables in place, and the services over it."""
    store = open_store(settings.home, settings.store_url)
    migrate(store)
    return store, open_services(store, open_vault(settings.home, settings.key_file))


def is_set_up(store: Store) -> bool:
    """Whether a server of this release has made the store's tables what they are to be; for those who change none.

    Raises BadConfig where a later release has.
    """
    found = revision(store)
    if found is not None and found > HEAD:
        raise BadConfig(f"The store is of a later release (at {found}, this is {HEAD}): upgrade this worker.")
    return found == HEAD


def not_set_up() -> BadConfig:
    return BadConfig(
        f"The store is not ready for this release (its tables are to be at {HEAD}): start `disync serve` of the same "
        "release over it first."
    )


def dispatch_of(
    store: Store, services: Services, settings: Settings, groups: Set[str] = frozenset((DEFAULT,))
) -> StoreDispatch:
    """`groups`: the resource groups whose tasks are handed out; with the default one come those that are known to none
    of them."""
    room = math.inf if settings.worker_room is None else settings.worker_room
    share = Share(groups, others=DEFAULT in groups, room=room)
    return StoreDispatch(store, services.data_sources.contents, share, settings.traced)


def require_clock(store: Store) -> None:
    """Raise BadConfig where this machine's clock is not the store's: leases are kept by both."""
    ahead = store.ahead_ms()
    if abs(ahead) > CLOCK_MS:
        raise BadConfig(
            f"This machine's clock is {abs(ahead) / 1000:.1f} s {'ahead of' if ahead > 0 else 'behind'} that of the "
            f"store's machine, and may be {CLOCK_MS / 1000:.0f} s: set both by NTP."
        )
