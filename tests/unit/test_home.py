"""What every process begins with."""

from __future__ import annotations

import subprocess
import sys

import servers

PROGRAM = """
import structlog
from disync.home import configure_logging
configure_logging()
log = structlog.get_logger()
for number in range(3000):
    try:
        raise KeyError(number)
    except KeyError:
        log.exception("an error that somebody goes on after")
print("he goes on")
"""


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            timeout=60,
            env=servers.child_environment(),
            check=False,
        )
    assert done.stdout == "he goes on\n"
