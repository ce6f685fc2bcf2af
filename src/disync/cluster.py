"""The composition root on a Ray cluster: the keeper, a process of `disync serve` that keeps the workers up, and what
each of those is made of. The server itself knows nothing of Ray: a cluster that is lost takes the keeper with it, no
more."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from disync.engine.helper import help_out
from disync.engine.placement import Crew, Post, Size
from disync.engine.worker import Worker
from disync.home import configure_logging, is_set_up, not_set_up, open_home, require_clock
from disync.model.errors import BadConfig, Refused, TaskError, Unreachable
from disync.services import open_services
from disync.services.dispatch import StoreDispatch
from disync.services.placement import StoreBoard, most_of
from disync.services.resource_groups import DEFAULT
from disync.settings import Settings
from disync.store import installation
from disync.store.database import Store, open_store
from disync.store.shares import Share
from disync.store.vault import open_vault

if TYPE_CHECKING:
    from disync.engine.runners.ray import RayRunner
    from disync.engine.runners.ray_tasks import Helpers

log = structlog.get_logger()

MAKE = "disync.cluster:hire"
HELP = "disync.cluster:help_with_loads"
TICK_SECONDS = 0.2
TELL_SECONDS = 1.0
AWAY_SECONDS = 1.0
"""Between two attempts to join a cluster that is not there."""
STUCK_SECONDS = 30.0
"""A keeper that Ray has left waiting for so long ends, and another one begins: Ray's own calls wait for minutes."""
STOP_SECONDS = 5.5
PROBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RayOptions:
    """`address`: HOST:PORT of the head. `workers`: for each node of a resource group; `cu`: what each takes of it.
    `trusting`: a cluster without authentication is joined, too."""

    address: str
    workers: int = 2
    cu: float = 0.5
    trusting: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """These options on the keeper's command line."""
        words = ("--address", self.address, "--workers", str(self.workers), "--worker-cu", str(self.cu))
        return (*words, "--ray-without-authentication") if self.trusting else words


def require(settings: Settings, options: RayOptions, environ: Mapping[str, str] = os.environ) -> None:
    """Raise Refused, with what to do, where a server cannot or must not run its tasks on this cluster. One that does
    not answer is waited for later."""
    if find_spec("ray") is None:
        raise Refused("--runner ray needs Ray: scripts/install ray in a checkout, or pip install 'disync[ray]'.")
    if settings.store_url is None:
        raise Refused(
            "--runner ray needs a store that every node of the cluster can reach: set DISYNC_STORE_URL=postgresql://… "
            "here and where the nodes are started."
        )
    host, _, port = options.address.rpartition(":")
    if not host or not port.isdigit():
        raise Refused("--ray-address is HOST:PORT of the cluster's head, such as 10.0.0.1:6379.")
    if not options.trusting and environ.get("RAY_AUTH_MODE") != "token":
        raise Refused(
            "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here and where the nodes are started; or say "
            "--ray-without-authentication if anybody who reaches the cluster may run what he likes there."
        )
    with contextlib.suppress(Unreachable):
        _require_guarded(options)
    if environ.get("RAY_USE_TLS", "").lower() not in ("1", "true") and not _is_loopback(host):
        log.warning(
            "what the nodes of the cluster say to each other is not encrypted: set RAY_USE_TLS=1 and its certificates, "
            "or let nobody else into their network (docs/ray.md)"
        )


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def _require_guarded(options: RayOptions) -> None:
    """Raise Unreachable if the cluster does not answer, Refused if it takes whoever has no token.

    A process is asked, because one that has read RAY_AUTH_MODE once does not change its mind.
    """
    if not _listens(options.address):
        raise Unreachable(f"The Ray cluster at {options.address} does not answer.")
    if options.trusting:
        return
    command = [sys.executable, "-m", "disync.engine.runners.ray_door", options.address]
    stranger = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    stranger |= {"RAY_AUTH_MODE": "disabled"}
    try:
        said = subprocess.run(
            command, check=False, env=stranger, capture_output=True, text=True, timeout=PROBE_SECONDS
        ).stdout
    except subprocess.TimeoutExpired:
        said = ""
    if said.startswith("open"):
        raise Refused(
            f"The Ray cluster at {options.address} takes anybody who reaches it, and runs what he likes. Start all "
            "nodes with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, or say --ray-without-authentication if this is meant."
        )
    if not said.startswith("shut"):
        raise Unreachable(f"The Ray cluster at {options.address} does not say whether it asks for a token.")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=2):
        return True
    return False


def keep(settings: Settings, options: RayOptions, parent: int) -> None:
    """The keeper: see to it that workers are up, until SIGTERM, which stops them too, or until the server is gone,
    which leaves them at work for the next one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    store, services = open_home(settings)
    size, stop = Size(options.cu), threading.Event()
    dispatch = StoreDispatch(store, services.data_sources.contents, traced=settings.traced)
    board = StoreBoard(store, size)
    _stop_by_signal(stop)
    pulse = Pulse(parent)
    joined = _join(options, Crew(MAKE, HELP, _installation(store), options.workers, size), board, stop)
    if joined is None:
        return
    runner, helpers = joined
    tell_at = 0.0
    _stop_by_signal(stop)  # Ray has put its own in the place of ours
    while not stop.wait(TICK_SECONDS):
        pulse.beat()
        try:
            died = runner.tend()
        except Unreachable as error:
            log.warning("the keeper ends, and leaves the workers to the next one", cause=str(error))
            return
        try:
            for worker, ending in died:
                log.warning("worker ended", name=worker, ending=ending)
                dispatch.worker_died(worker, f"worker {worker}: {ending}")
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + TELL_SECONDS
                runner.tell()
                helpers.tend()
        except SQLAlchemyError as error:
            log.warning("the store does not answer", cause=str(error).splitlines()[0])
    _end(runner, helpers)


def _join(
    options: RayOptions, crew: Crew, board: StoreBoard, stop: threading.Event
) -> tuple[RayRunner, Helpers] | None:
    """Who keeps workers and helpers up on the cluster, which is waited for; None if it is time to stop."""
    from disync.engine.runners.ray import RayRunner
    from disync.engine.runners.ray_door import join
    from disync.engine.runners.ray_tasks import Helpers

    told = ""
    while not stop.is_set():
        try:
            _require_guarded(options)
            join(options.address)
            log.info("joined the cluster", address=options.address)
            runner = RayRunner(crew, board)
            return runner, Helpers(crew, board, runner)
        except (TaskError, Refused) as error:
            if str(error) != told:
                told = str(error)
                log.warning("cannot join the cluster", cause=told)
            board.away(told)
            stop.wait(AWAY_SECONDS)
    return None


def _end(runner: RayRunner, helpers: Helpers) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    helpers.leave()
    runner.stop(STOP_SECONDS)
    helpers.stop(max(0.0, deadline - time.monotonic()))


def _stop_by_signal(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


class Pulse:
    """Ends this process, and leaves the workers at work, when the server is gone or Ray does not answer."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._beaten: float | None = None
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()

    def beat(self) -> None:
        self._beaten = time.monotonic()

    def _watch(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(TICK_SECONDS)
            if self._beaten is not None and time.monotonic() - self._beaten > STUCK_SECONDS:
                log.error("Ray does not answer: the keeper ends", seconds=STUCK_SECONDS)
                break
        os._exit(1)


def _installation(store: Store) -> str:
    with store.write() as db:
        return installation.ensure(db, "")


def hire(post: Post) -> Worker:
    """A worker in an actor's process. Raises BadConfig as `_dispatch` does."""
    return Worker(f"{os.uname().nodename}-{os.getpid()}-{os.urandom(3).hex()}", _dispatch(post)[1])


def help_with_loads(post: Post, worker: str) -> int:
    """What a Ray task does, in the name of a worker of its own: see `help_out`. Raises as `hire` does."""
    store, dispatch = _dispatch(post, devoted=True)
    try:
        return help_out(worker, dispatch.help)
    finally:
        store.close()


def _dispatch(post: Post, devoted: bool = False) -> tuple[Store, StoreDispatch]:
    """Of a process on a node. What it needs it has from the environment in which its node was started: the store's URL
    and the key file go through nobody's hands.

    Raises BadConfig where that does not lead to the installation that asks for it.
    """
    configure_logging()
    settings = Settings.read()
    key = settings.key_file or settings.home / "key"
    if settings.store_url is None or not key.exists():
        raise BadConfig(
            "This node was started without DISYNC_STORE_URL, or without the server's key file: copy that there, and "
            "name it by DISYNC_KEY_FILE."
        )
    with contextlib.ExitStack() as stack:
        store = open_store(settings.home, settings.store_url)
        stack.callback(store.close)
        if not is_set_up(store):  # a node of a newer release does not upgrade the store under the servers
            raise not_set_up()
        services = open_services(store, open_vault(settings.home, settings.key_file))
        if _installation(store) != post.installation:
            raise BadConfig("DISYNC_STORE_URL of this node leads to another store than the server's.")
        require_clock(store)
        with store.read() as db:
            services.keys.check(db)
        stack.pop_all()
    # Nobody here takes a task whose group no node offers: it waits for one.
    groups = {post.group, ""} if post.group == DEFAULT else {post.group}
    share = Share(groups, others=False, only=post.task, most=most_of(post.size), devoted=devoted)
    return store, StoreDispatch(store, services.data_sources.contents, share, settings.traced)
