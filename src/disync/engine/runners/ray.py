"""Workers on a Ray cluster: actors, placed by resource group, kept alive and told when one has died.

Ray is asked for two things: a process on each node that offers `rg_<group>` and has room, and word of its end. All else
is in the store: what is wanted, who holds it, how far it is. So nothing secret goes through Ray, a cluster may be lost
whole, and a worker that Ray has lost sight of is held back by its lease and its epoch.

The actors are detached: they outlive whoever started them, and are found again by their names.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from threading import Thread
from typing import Any, Protocol

import ray
import structlog
from ray.exceptions import ActorUnavailableError, AuthenticationError, RayActorError, RaySystemError
from ray.util import list_named_actors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from disync.engine.placement import Board, Crew, Offer, Post
from disync.model.errors import BadConfig, Unreachable

log = structlog.get_logger()

NAMESPACE = "disync"
PREFIX = "rg_"

LOOK_SECONDS = 1.0
"""Between two looks at the nodes and at the tasks."""
GREET_SECONDS = 0.5
SILENT_SECONDS = 15.0
"""A worker that has not answered for so long is given up: its runs have long been taken from it by their leases."""
PROBE_SECONDS = 10.0
PATIENT_SECONDS = (1.0, 30.0)
"""Before an actor is started again whose last one has failed: at first, and at most."""


class Hired(Protocol):
    @property
    def name(self) -> str: ...
    def work(self) -> None: ...
    def stop(self) -> None: ...


class Host:
    """The actor: one process, in which a worker works until it is asked to leave."""

    def __init__(self, post: Post) -> None:
        self._worker: Hired = resolve_name(post.make)(post)
        self._thread = Thread(target=self._worker.work, name="worker", daemon=True)
        self._thread.start()

    def greet(self) -> tuple[str, bool]:
        """The worker's name, and whether it works."""
        return self._worker.name, self._thread.is_alive()

    def leave(self, within: float) -> None:
        """Let go of all runs, in good order, and be done within so many seconds."""
        self._worker.stop()
        self._thread.join(within)


@dataclass(slots=True)
class Seat:
    """A place for one actor. `asked`: the greeting that is under way. `silent_at`: since when none was answered."""

    name: str
    group: str
    actor: Any = None
    worker: str = ""
    asked: Any = None
    asked_at: float = 0.0
    silent_at: float = 0.0
    failures: int = 0
    again_at: float = 0.0

    def fill(self, actor: Any) -> None:
        self.actor, self.worker, self.asked, self.silent_at = actor, "", None, 0.0

    def empty(self, ending: str) -> tuple[str, str] | None:
        """Its actor is gone. (worker, how it ended), if it had ever answered."""
        self.failures = 0 if self.worker else self.failures + 1
        self.again_at = time.monotonic() + pause_after(max(0, self.failures - 1))
        told = (self.worker, ending) if self.worker else None
        if told is None:
            log.warning("a worker cannot be started", group=self.group, cause=ending)
        self.fill(None)
        return told


class RayRunner:
    """Keeps workers up on every node of every resource group that the cluster offers."""

    def __init__(self, crew: Crew, board: Board) -> None:
        """Takes over the actors that a former runner of this installation has left."""
        self._crew, self._board = crew, board
        self._host = ray.remote(Host)
        self._door = ray.get_runtime_context().get_node_id()
        """The node through which we have joined: Ray starts nothing any more for whoever came by one that is gone."""
        self._looked = 0.0
        self.nodes: Sequence[Mapping[str, Any]] = ()
        """Those that are alive, as of the last look."""
        self._offers: Mapping[str, Offer] = {}
        self._seats: dict[str, Seat] = {}
        for name in [name for name in list_named_actors() if name.startswith(crew.prefix)]:
            seat = self._seats[name] = Seat(name, name.removeprefix(crew.prefix).rsplit("/", 2)[0])
            seat.fill(ray.get_actor(name, NAMESPACE))

    def tend(self) -> list[tuple[str, str]]:
        """Start what is not running. Returns (worker, how it ended) for each one that has died since the last call.

        Raises Unreachable when somebody has to join the cluster anew.
        """
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self.nodes = [node for node in ray.nodes() if node["Alive"]]
            if self._door not in [node["NodeID"] for node in self.nodes]:
                raise Unreachable("The node through which the cluster was joined is gone.")
            self._offers = offers(self.nodes)
            self._fill()
        return [told for seat in list(self._seats.values()) for told in self._listen(seat)]

    def tell(self) -> None:
        """Have it written down what there is, and where workers are up."""
        self._board.tell(self._offers, {seat.group for seat in self._seats.values() if seat.worker})

    def _fill(self) -> None:
        names: set[str] = set()
        for group, node in [(group, node) for group, offer in self._offers.items() for node in offer.names]:
            for number in range(self._crew.workers):
                name = f"{self._crew.prefix}{group}/{node}/{number}"
                names.add(name)
                seat = self._seats.setdefault(name, Seat(name, group))
                if seat.actor is None and time.monotonic() >= seat.again_at:
                    seat.fill(self._start(seat, node))
        for seat in [seat for name, seat in self._seats.items() if name not in names and not seat.worker]:
            self._dismiss(seat)

    def _start(self, seat: Seat, node: str) -> Any:
        """To this node, by its name: Ray takes a resource such as rg_group_123 for one of a placement group of its own,
        and would never start what asks for it."""
        size = self._crew.size
        options = {"name": seat.name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
        place = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
        room = {"num_cpus": size.cu, "memory": size.memory_bytes}
        # Not started again by Ray: a worker's name belongs to one process, and its runs are given to others at once.
        rules = {"max_restarts": 0, "max_concurrency": 8}
        return self._host.options(**options, **place, **room, **rules).remote(self._crew.post(seat.group))

    def _dismiss(self, seat: Seat) -> None:
        if seat.actor is not None:
            ray.kill(seat.actor)
        del self._seats[seat.name]

    def _listen(self, seat: Seat) -> Iterator[tuple[str, str]]:
        """Greet the actor, and hear what it answers."""
        now = time.monotonic()
        if seat.actor is None:
            return
        if seat.asked is None:
            if now - seat.asked_at >= GREET_SECONDS:
                seat.asked, seat.asked_at = seat.actor.greet.remote(), now
                seat.silent_at = seat.silent_at or now
        elif ray.wait([seat.asked], timeout=0)[0]:
            if (ending := self._answer(seat)) is not None and (told := seat.empty(ending)) is not None:
                yield told
            return
        if seat.worker and seat.asked is not None and now - seat.silent_at > SILENT_SECONDS:
            ray.kill(seat.actor)
            if (told := seat.empty(f"it has not answered for {SILENT_SECONDS:.0f} s")) is not None:
                yield told

    def _answer(self, seat: Seat) -> str | None:
        """How the actor has ended, if it has."""
        asked, seat.asked = seat.asked, None
        try:
            worker, works = ray.get(asked)
        except ActorUnavailableError:
            return None  # for now; SILENT_SECONDS decide
        except RayActorError as error:
            return cause(error)
        if not works:
            ray.kill(seat.actor)
            return "its worker has ended"
        if not seat.worker:
            log.info("worker started", name=worker, group=seat.group)
        seat.worker, seat.silent_at, seat.failures = worker, 0.0, 0
        return None

    @property
    def alive(self) -> int:
        return sum(bool(seat.worker) for seat in self._seats.values())

    def stop(self, within: float) -> None:
        """Ask every worker to let go of its runs, and end it when it has, or at the end of the time."""
        seats = [seat for seat in self._seats.values() if seat.actor is not None]
        leaving = [seat.actor.leave.remote(within) for seat in seats if seat.worker]
        if leaving:
            ray.wait(leaving, num_returns=len(leaving), timeout=within)
        for seat in seats:
            ray.kill(seat.actor)


def pause_after(failures: int) -> float:
    """For how long nothing is started where so many have failed before this one."""
    first, most = PATIENT_SECONDS
    return float(min(most, first * 2 ** min(failures, 30)))


def offers(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Offer]:
    """What these nodes offer, by resource group."""
    found: dict[str, Offer] = {}
    for node in nodes:
        has = node["Resources"]
        for group in [name.removeprefix(PREFIX) for name in has if name.startswith(PREFIX)]:
            one = Offer((node["NodeID"],), float(has.get("CPU", 0)), int(has.get("memory", 0)))
            found[group] = found.get(group, Offer()) + one
    return found


def join(address: str) -> None:
    """Become a client of the cluster at HOST:PORT, through the node of it that is on this machine.

    Raises Unreachable while there is none, and BadConfig if it does not take our token.
    """
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="warning")
    except AuthenticationError as error:
        raise BadConfig(f"The Ray cluster at {address} refuses RAY_AUTH_TOKEN: {_first(error)}") from error
    except (ConnectionError, RuntimeError, TimeoutError, ValueError, RaySystemError) as error:
        raise Unreachable(f"The Ray cluster at {address} cannot be joined: {_first(error)}") from error


def _probe(address: str) -> str:
    """Whether a stranger is let in: the main program of this module, without a token in its environment."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]

    try:
        GcsClient(address=address).get_all_node_info(timeout=PROBE_SECONDS)
    except AuthenticationError:
        return "shut"
    return "open"


def cause(error: Exception) -> str:
    """What Ray says of the process that ended, without what it guesses of the reasons; else its last line."""
    text = str(error)
    _, _, detail = text.partition("Worker exit detail:")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = " ".join(detail.split()).partition(" There are some potential root causes")[0]
    return (told or (lines or [type(error).__name__])[-1])[:500]


def _first(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]


if __name__ == "__main__":
    print(_probe(sys.argv[1]))
