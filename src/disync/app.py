"""The composition root: what `disync serve` and its worker processes are made of."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import structlog
import uvicorn

from disync.datahub.server import serve as serve_datahub
from disync.engine.runners.local import LocalRunner
from disync.engine.worker import Worker
from disync.gateway.rpc import UVICORN_OPTIONS, Gateway
from disync.model.errors import BadConfig
from disync.operations import bind
from disync.probes import Probes, Requests
from disync.services import Services, open_services
from disync.services.dispatch import StoreDispatch
from disync.services.supervisor import Supervisor
from disync.settings import Settings
from disync.store.database import Store, open_store
from disync.store.migrations import migrate
from disync.store.vault import open_vault

log = structlog.get_logger()

DRAIN_SECONDS = 3
"""Given to requests under way when the server stops; workers get WORKER_SECONDS after that: 10 s in all."""
WORKER_SECONDS = 6.5

DATAHUB_SECONDS = 20

KEY_SECONDS = 2.0
"""How long the local DataHub goes on taking a key that was switched off."""
KEYS_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class ServeOptions:
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    datahub_port: int | None = None


class Server(uvicorn.Server):
    """Says where it listens, once it takes requests."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"listening on {self._address}", flush=True)


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def open_home(settings: Settings) -> tuple[Store, Services]:
    """The store with its tables in place, and the services over it."""
    store = open_store(settings.home, settings.store_url)
    migrate(store)
    return store, open_services(store, open_vault(settings.key_file or settings.home / "key"))


def serve(settings: Settings, options: ServeOptions) -> None:
    """Answer the API and see to it that tasks run, until SIGTERM or SIGINT."""
    listener = _listen(options.host, options.port)
    address = f"http://{options.host}:{listener.getsockname()[1]}"
    with ExitStack() as stack:
        store, services = open_home(settings)
        stack.callback(store.close)
        _first_key(services, settings)
        workers = LocalRunner(_command(settings, "worker"), options.workers)
        runners, datahub_port = [workers], _datahub_port(options)
        if datahub_port is not None:
            # Stopped after the workers: they may have rows to flush into it.
            words = ("host-datahub", "--host", options.host, "--port", str(datahub_port))
            runners.append(LocalRunner(_command(settings, *words), 1))
        supervisor = Supervisor(runners, _dispatch(store, services))
        # Uvicorn hands a signal on when it has stopped; by then there still are workers to stop.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        requests = Requests()
        gateway = Gateway(
            services.keys.find, services.nonces, bind(services), inline=store.sqlite, observe=requests.observe
        )
        app = Probes(gateway, store, requests, ready=lambda: workers.alive == options.workers)
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, timeout_graceful_shutdown=DRAIN_SECONDS, **UVICORN_OPTIONS
        )
        supervisor.start()
        stack.callback(supervisor.stop, WORKER_SECONDS)
        if datahub_port is not None:
            _await_port(options.host, datahub_port)
        # What is there now stays; looking through all of it again and again would make requests wait.
        gc.collect()
        gc.freeze()
        Server(config, address).run(sockets=[listener])


def work(settings: Settings, parent: int) -> None:
    """One worker process: hosts runs until SIGTERM, or until the server is gone."""
    store, services = open_home(settings)
    worker = Worker(f"{os.uname().nodename}-{os.getpid()}", _dispatch(store, services))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.work(parent)
    store.close()


def host_datahub(settings: Settings, host: str, port: int, parent: int) -> None:
    """The local DataHub inside `disync serve`: it takes the access keys of the store, and ends with the server."""
    _, services = open_home(settings)
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    serve_datahub(host, port, settings.home / "datahub", _secret_of(services))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _secret_of(services: Services) -> Callable[[str], str | None]:
    """The store's keys, each asked for once in a while: the local DataHub asks at every request."""
    known: dict[str, tuple[float, str | None]] = {}

    def secret_of(access_key_id: str) -> str | None:
        until, secret = known.get(access_key_id, (0.0, None))
        if time.monotonic() >= until:
            key = services.keys.find(access_key_id)
            taken = key is not None and key.active and services.workspaces.works_anywhere(key.caller)
            secret = key.secret if key is not None and taken else None
            if len(known) >= KEYS_REMEMBERED:
                known.clear()
            known[access_key_id] = time.monotonic() + KEY_SECONDS, secret
        return secret

    return secret_of


def _dispatch(store: Store, services: Services) -> StoreDispatch:
    return StoreDispatch(store, services.data_sources.contents)


def _first_key(services: Services, settings: Settings) -> None:
    made = services.bootstrap(settings.access_key_id, settings.access_key_secret)
    if made is not None:
        print(f"The root access key, shown this once:\n  AccessKeyId      {made.id}")
        print(f"  AccessKeySecret  {made.secret}", flush=True)


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started: a port in use is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's delay off.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadConfig(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port.") from error
    return listener


def _datahub_port(options: ServeOptions) -> int | None:
    """The port of the local DataHub, which must be free; chosen once, so that it keeps it when it is started again."""
    if options.datahub_port is None:
        return None
    with _listen(options.host, options.datahub_port) as probe:
        return int(probe.getsockname()[1])


def _await_port(host: str, port: int) -> None:
    """Wait until something listens there: what the server prints must be true when it is read."""
    deadline = time.monotonic() + DATAHUB_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BadConfig(f"The local DataHub does not answer on {host}:{port}; the log above says why.")


def _command(settings: Settings, *words: str) -> list[str]:
    return [sys.executable, "-m", "disync", *words, "--home", str(settings.home), "--parent", str(os.getpid())]
