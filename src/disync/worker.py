"""Worker processes: those of `disync serve`, which are started by this module alone, since what else the command line
knows would only take memory; and `disync worker`, one of its own on any machine that reaches the store.

The latter takes the tasks of its resource groups, as those of `disync serve` take those of the default group. Nothing
reaches it: what is wanted is in the store. It changes no table of the store, and waits for a server of its release to
have made them. Somebody has to free the runs of a worker that is gone: any `disync serve` over the same store does.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Set
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import click
import structlog

from disync.command import carry_out
from disync.engine.worker import Worker
from disync.health import telling
from disync.home import configure_logging, dispatch_of, is_set_up, not_set_up, open_home, require_clock
from disync.model.errors import BadConfig
from disync.services import Services, open_services
from disync.settings import Settings
from disync.store.database import Store, open_store
from disync.store.vault import open_vault

log = structlog.get_logger()

SERVER_SECONDS = 60.0
"""How long a worker waits for a server to have set the store up, or to have brought it to this release."""
LOOK_SECONDS = 0.5
END_SECONDS = 10.0
"""The most that a worker takes which was asked to stop. Only a store that neither answers nor refuses takes longer."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`health`: host and port on which it tells how it is; None: nowhere."""

    groups: Set[str]
    health: tuple[str, int] | None = None


def work(settings: Settings, options: WorkerOptions) -> None:
    """Host runs until SIGTERM or SIGINT; they then flush and end, and go on elsewhere."""
    stopped = _asked_to_stop()
    with ExitStack() as stack:
        store = open_store(settings.home, settings.store_url)
        stack.callback(store.close)
        services = _services(store, settings, stopped)
        if services is None:
            return
        require_clock(store)
        services.resource_groups.enlist(options.groups)
        # A name that no other has, also where each container calls its only process 1.
        name = f"{os.uname().nodename}-{token_hex(3)}-{os.getpid()}"
        worker = Worker(name, dispatch_of(store, services, settings, options.groups))
        _stop_when(stopped, worker)
        if options.health is not None:
            answers = {"/healthz": lambda: worker.well, "/readyz": lambda: worker.ready}
            port = stack.enter_context(telling(*options.health, answers))
            print(f"health on http://{options.health[0]}:{port}", flush=True)
        print(f"working for {', '.join(sorted(options.groups))} as {name}", flush=True)
        worker.work()


def _services(store: Store, settings: Settings, stopped: threading.Event) -> Services | None:
    """What runs need, once a server has set the store up; None where the worker was stopped before."""
    path = settings.key_file or settings.home / "key"
    if not path.exists():
        raise BadConfig(
            f"There is no key file {path}: give the worker that of the server (DISYNC_KEY_FILE), which opens the "
            "passwords of data sources."
        )
    services = open_services(store, open_vault(settings.home, settings.key_file))
    waited = 0.0
    while not (is_set_up(store) and services.installed()):
        if waited >= SERVER_SECONDS:
            raise not_set_up()
        if waited == 0:
            log.warning("waiting for a server to set the store up")
        if stopped.wait(LOOK_SECONDS):
            return None
        waited += LOOK_SECONDS
    return services


def attend(settings: Settings, parent: int) -> None:
    """A worker of `disync serve`: hosts runs until SIGTERM, or until the server is gone."""
    stopped = _asked_to_stop()
    store, services = open_home(settings)
    worker = Worker(f"{os.uname().nodename}-{os.getpid()}", dispatch_of(store, services, settings))
    _stop_when(stopped, worker)
    worker.work(parent)
    store.close()


def _asked_to_stop() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _stop_when(stopped: threading.Event, worker: Worker) -> None:
    """The worker stops, and its process ends even if a store holds it up: no run writes without a lease, and what one
    saves late is refused."""

    def stop() -> None:
        stopped.wait()
        worker.stop()
        time.sleep(END_SECONDS)
        log.error("the store does not answer: this worker ends without it", worker=worker.name)
        os._exit(1)

    threading.Thread(target=stop, name="stop", daemon=True).start()


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--parent", type=int, required=True)
def _attend(home: Path, parent: int) -> None:
    configure_logging()
    attend(Settings.read(home), parent)


if __name__ == "__main__":
    carry_out(_attend)
