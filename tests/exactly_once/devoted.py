"""A process that has no runs, and helps with loads until SIGTERM: as one Ray task after the other. Called with a home
and the name of its worker; writes a line when it begins."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Never

from disync.engine.helper import help_out
from disync.home import configure_logging, open_home
from disync.services.dispatch import StoreDispatch
from disync.settings import Settings
from disync.store.shares import Share

over = False


def _end(*_: object) -> Never:
    global over
    over = True
    raise KeyboardInterrupt


configure_logging()
store, services = open_home(Settings(Path(sys.argv[1])))
dispatch = StoreDispatch(store, services.data_sources.contents, Share(devoted=True))
signal.signal(signal.SIGTERM, _end)
print("it begins", flush=True)
while not over:
    help_out(sys.argv[2], dispatch.help)
