"""The composition root: what `disync serve` and its worker processes are made of."""

from __future__ import annotations

import gc
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

from disync.console.attempts import Attempts
from disync.console.door import Door
from disync.console.names import Names
from disync.console.routes import Console
from disync.datahub.server import serve as serve_datahub
from disync.engine.runners.local import LocalRunner
from disync.gateway.rpc import UVICORN_OPTIONS, Gateway
from disync.home import dispatch_of, open_home, require_clock
from disync.model.errors import BadConfig, DISyncError
from disync.operations import bind
from disync.probes import Probes, Requests, Tracing
from disync.services import Services
from disync.services.lineage.outbox import Outbox, Receiver
from disync.services.lineage.receivers import Lines, Service
from disync.services.supervisor import Supervisor
from disync.services.verifications.processes import Processes
from disync.settings import Settings
from disync.store.database import Store

log = structlog.get_logger()

DRAIN_SECONDS = 3
"""Given to requests under way when the server stops; workers get WORKER_SECONDS after that: 10 s in all."""
WORKER_SECONDS = 6.5

DATAHUB_SECONDS = 60

KEY_SECONDS = 2.0
"""How long the local DataHub goes on taking a key that was switched off."""
KEYS_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class ServeOptions:
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    datahub_port: int | None = None
    keeper: tuple[str, ...] = ()
    """The words that start the process which keeps workers up on a cluster, in the place of `workers` here."""


class Server(uvicorn.Server):
    """Says where it listens, once it takes requests."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"listening on {self._address}", flush=True)


def serve(settings: Settings, options: ServeOptions) -> None:
    """Answer the API and see to it that tasks run, until SIGTERM or SIGINT."""
    listener = _listen(options.host, options.port)
    address = f"http://{options.host}:{listener.getsockname()[1]}"
    with ExitStack() as stack:
        store, services = open_home(settings)
        stack.callback(store.close)
        require_clock(store)
        _first_key(services, settings)
        workers = _workers(settings, options)
        runners, datahub_port = [workers], _datahub_port(options)
        if datahub_port is not None:
            # Stopped after the workers: they may have rows to flush into it.
            words = ("host-datahub", "--host", options.host, "--port", str(datahub_port))
            runners.append(LocalRunner(_command(settings, *words), 1))
        comparing = Processes(store, _command(settings, "verification"))
        supervisor = Supervisor([comparing, *runners], dispatch_of(store, services, settings))
        outboxes = _outboxes(store, settings)
        # Uvicorn hands a signal on when it has stopped; by then there still are workers to stop.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        requests = Requests()
        gateway = Gateway(
            services.keys.find, services.nonces, bind(services), inline=store.sqlite, observe=requests.observe
        )
        console = Door(
            Console(gateway, services.sessions, Attempts(), services.keys.find),
            Names.of(options.host, settings.console_hosts),
        )

        def ready() -> bool:
            return workers.alive == workers.count

        app = Probes(gateway, console, store, requests, ready, [Tracing(outboxes)])
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, timeout_graceful_shutdown=DRAIN_SECONDS, **UVICORN_OPTIONS
        )
        supervisor.start()
        stack.callback(supervisor.stop, WORKER_SECONDS)
        for outbox in outboxes:
            outbox.start()
            stack.callback(outbox.stop)
        if datahub_port is not None:
            _await_port(options.host, datahub_port)
        # What is there now stays; looking through all of it again and again would make requests wait.
        gc.collect()
        gc.freeze()
        Server(config, address).run(sockets=[listener])


def _workers(settings: Settings, options: ServeOptions) -> LocalRunner:
    if options.keeper:
        return LocalRunner(_command(settings, *options.keeper), 1)
    return LocalRunner(_child("disync.worker", settings), options.workers)


def verify(settings: Settings, verification_id: int, holder: str, parent: int) -> None:
    """Carry out one verification, in a process of its own that ends with the server, or when it has lost its lease."""
    store, services = open_home(settings)
    # Ctrl-C goes to every process of a terminal; the server ends its own ones by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    try:
        services.verifications.carry(verification_id, holder, lost=_end_now)
    except DISyncError as error:
        log.warning("verification failed", verification=verification_id, error=str(error))
    store.close()


def _end_now() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def host_datahub(settings: Settings, host: str, port: int, parent: int) -> None:
    """The local DataHub inside `disync serve`: it takes the access keys of the store, and ends with the server."""
    _, services = open_home(settings)
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    serve_datahub(host, port, settings.home / "datahub", _secret_of(services))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    _end_now()


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


def _outboxes(store: Store, settings: Settings) -> list[Outbox]:
    """One for everybody who is to be told of runs."""
    receivers: list[Receiver] = []
    if settings.lineage_url is not None:
        receivers.append(Service(settings.lineage_url, settings.lineage_key))
    if settings.lineage_file is not None:
        receivers.append(Lines(settings.lineage_file))
    told = [(one, settings.home / f"lineage-{one.name}.position") for one in receivers]
    return [Outbox(store, one, settings.lineage_namespace, position) for one, position in told]


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
    return _child("disync", settings, *words)


def _child(module: str, settings: Settings, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words, "--home", str(settings.home), "--parent", str(os.getpid())]
