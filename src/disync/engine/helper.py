"""A helper: it reads parts of other workers' full loads, and has no runs of its own. It takes one seat at a time, and
leaves when there has been none for a while."""

from __future__ import annotations

import time

import structlog

from disync.engine.helping import Help, Helping

log = structlog.get_logger()

TICK_SECONDS = 0.2
IDLE_SECONDS = 2.0
"""Without a seat, until it leaves."""
LEAVE_SECONDS = 4.0


def help_out(worker: str, help: Help) -> int:
    """Help in this worker's name, until nobody asks for it any more, or until KeyboardInterrupt. Returns how many parts
    were read to their end."""
    helping = Helping(worker, help, most=1)
    log.info("a helper begins", worker=worker)
    try:
        _attend(helping, worker)
    except KeyboardInterrupt:
        log.info("a helper was told to leave", worker=worker)
    finally:
        helping.stop(LEAVE_SECONDS)
    log.info("a helper ends", worker=worker, parts=helping.read)
    return helping.read


def _attend(helping: Helping, worker: str) -> None:
    busy = time.monotonic()
    while time.monotonic() - busy < IDLE_SECONDS:
        try:
            helping.tend(free=True)
        except Exception as error:
            # The store may be away for a moment; the lease decides how long a seat may go on without it.
            log.warning("cannot reach the store", worker=worker, error=str(error))
        if helping.sits:
            busy = time.monotonic()
        time.sleep(TICK_SECONDS)
