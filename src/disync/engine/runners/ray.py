"""Workers on a Ray cluster: actors, placed by resource group, kept alive and told when one has died.

Ray is asked for two things: a process on each node that offers `rg_<group>` and has room, and word of its end. All else
is in the store: what is wanted, who holds it, how far it is. So nothing secret goes through Ray, a cluster may be lost
whole, and a worker that Ray has lost sight of is held back by its lease and its epoch.

The actors are detached: they outlive whoever started them, and are found again by their names.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pkgutil import resolve_name
from threading import Thread
from typing import Any, Protocol

import ray
import structlog
from ray._private.state import available_resources_per_node
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.util import list_named_actors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from disync.engine.placement import Board, Crew, Large, Offer, Post, Size, Staff
from disync.engine.runners.ray_door import NAMESPACE, cause
from disync.engine.runners.ray_nodes import Taken, offers, rooms
from disync.model.errors import Unreachable

log = structlog.get_logger()

OWN = "task"
"""In the name of an actor in the place of its node, where it has one task of its own."""

LOOK_SECONDS = 1.0
"""Between two looks at the nodes and at the tasks."""
GREET_SECONDS = 0.5
SILENT_SECONDS = 15.0
"""A worker that has not answered for so long is given up: its runs have long been taken from it by their leases."""
PLACED_SECONDS = 60.0
"""A worker with a task of its own that is not up by then is tried elsewhere."""
LEAVE_SECONDS = 6.0
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
    """A place for one actor. `node`: where that is, or is to be; "": it is not known. `asked`: the greeting that is
    under way. `silent_at`: since when none was answered. `gone_at`: it was told to leave, and is ended then.
    `failed`: why the last one did not come up."""

    name: str
    post: Post
    node: str = ""
    actor: Any = None
    worker: str = ""
    filled_at: float = 0.0
    asked: Any = None
    asked_at: float = 0.0
    silent_at: float = 0.0
    gone_at: float = 0.0
    failures: int = 0
    failed: str = ""
    again_at: float = 0.0

    def fill(self, actor: Any) -> None:
        self.actor, self.worker, self.asked, self.silent_at, self.gone_at = actor, "", None, 0.0, 0.0
        self.filled_at = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() >= self.again_at

    @property
    def late(self) -> bool:
        return self.actor is not None and not self.worker and time.monotonic() - self.filled_at > PLACED_SECONDS

    def empty(self, ending: str) -> tuple[str, str] | None:
        """Its actor is gone. (worker, how it ended), if it had ever answered."""
        self.failures = 0 if self.worker else self.failures + 1
        self.again_at = time.monotonic() + pause_after(max(0, self.failures - 1))
        told = (self.worker, ending) if self.worker else None
        if told is None:
            self.failed = ending
            log.warning("a worker cannot be started", group=self.post.group, task=self.post.task, cause=ending)
        self.fill(None)
        return told


class RayRunner:
    """Keeps workers up on every node of every resource group that the cluster offers, and one for each large task where
    there is room for it.

    `nodes`: those that are alive, as of the last look. `aside`: what only helps at them, as whoever started it says.
    `lacking`: the nodes at which a large task finds no room, and would if nobody helped there.
    """

    def __init__(self, crew: Crew, board: Board) -> None:
        """Takes over the actors that a former runner of this installation has left."""
        self._crew, self._board = crew, board
        self._host = ray.remote(Host)
        self._door = ray.get_runtime_context().get_node_id()
        """The node through which we have joined: Ray starts nothing any more for whoever came by one that is gone."""
        self._looked = 0.0
        self.nodes: Sequence[Mapping[str, Any]] = ()
        self.aside: Sequence[Taken] = ()
        self.lacking: Set[str] = frozenset()
        self._offers: Mapping[str, Offer] = {}
        self._large = board.large()
        self._seats: dict[str, Seat] = {}
        for name in [name for name in list_named_actors() if name.startswith(crew.prefix)]:
            seat = self._seats[name] = self._seat(name)
            seat.fill(ray.get_actor(name, NAMESPACE))

    def _seat(self, name: str) -> Seat:
        group, node, last = name.removeprefix(self._crew.prefix).rsplit("/", 2)
        if node != OWN:
            return Seat(name, self._crew.post(group), node)
        task, _, cu = last.partition("-")
        return Seat(name, self._crew.own_post(Large(int(task), group, Size(float(cu)))))

    def _names(self) -> set[str]:
        """Of the actors that are to be there. They tell sizes: with another one, a worker is another worker."""
        size = f"{self._crew.size.cu:g}"
        theirs = {
            f"{self._crew.prefix}{group}/{node}/{number}-{size}"
            for group, offer in self._offers.items()
            for node in offer.names
            for number in range(self._crew.workers)
        }
        return theirs | {f"{self._crew.prefix}{each.group}/{OWN}/{each.task}-{each.size.cu:g}" for each in self._large}

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
        """Have it written down what there is, and where workers are up; and hear which tasks are large."""
        up = [seat.post for seat in self._seats.values() if seat.worker]
        failed = {seat.post.task or seat.post.group: seat.failed for seat in self._seats.values() if seat.failed}
        tasks = {post.task for post in up if post.task is not None}
        self._board.tell(self._offers, Staff({post.group for post in up if post.task is None}, tasks, failed))
        self._large = self._board.large()

    def available(self) -> Mapping[str, Mapping[str, float]]:
        """What is free at each node, as far as Ray knows. It has no public name for that."""
        found: Mapping[str, Mapping[str, float]] = available_resources_per_node()
        return found

    def taken(self, but: Seat | None = None) -> list[Taken]:
        """By workers that are up, or are to be."""
        seats = [seat for seat in self._seats.values() if seat is not but]
        return [Taken(seat.node, seat.post.size, bool(seat.worker)) for seat in seats]

    def _fill(self) -> None:
        names = self._names()
        for name in names - self._seats.keys():
            self._seats[name] = self._seat(name)
        self._end([seat for name, seat in self._seats.items() if name not in names])
        seats = [seat for seat in self._seats.values() if seat.name in names]
        for seat in [seat for seat in seats if seat.actor is None and seat.due and seat.post.task is None]:
            seat.fill(self._start(seat))
        self._place([seat for seat in seats if seat.post.task is not None])

    def _place(self, own: Sequence[Seat]) -> None:
        """Give large tasks their workers, where there is room for them."""
        for seat in [seat for seat in own if seat.late]:
            ray.kill(seat.actor)
            seat.empty(f"It was not up after {PLACED_SECONDS:.0f} s.")
        lacking: set[str] = set()
        for seat in [seat for seat in own if seat.actor is None]:
            with contextlib.suppress(ValueError):  # another server may have done so
                seat.fill(ray.get_actor(seat.name, NAMESPACE))
                continue
            available = self.available()
            if (node := self._room(seat, available, self.aside)) and seat.due:
                seat.node = node
                seat.fill(self._start(seat))
            elif not node and (node := self._room(seat, _without(available, self.aside), ())):
                lacking.add(node)
        self.lacking = lacking

    def _room(self, seat: Seat, available: Mapping[str, Mapping[str, float]], aside: Sequence[Taken]) -> str:
        """The node that has most room for what belongs there; "": none has any."""
        room = rooms(seat.post.size, seat.post.group, self.nodes, available, [*self.taken(but=seat), *aside])
        node, left = next(iter(room.most_common(1)), ("", 0))
        return node if left > 0 else ""

    def _end(self, unwanted: Sequence[Seat]) -> None:
        """Whoever has lost his node is heard until he is silent; all others are to leave."""
        there = {node["NodeID"] for node in self.nodes}
        for seat in unwanted:
            lost = seat.post.task is None and seat.node not in there
            if seat.actor is None or (lost and not seat.worker):
                self._dismiss(seat)
            elif not lost and not seat.gone_at:
                seat.actor.leave.remote(LEAVE_SECONDS)
                seat.gone_at = time.monotonic() + LEAVE_SECONDS

    def _start(self, seat: Seat) -> Any:
        """At its node, by the name of that: Ray takes a resource such as rg_group_123 for one of a placement group of
        its own, and would never start what asks for it."""
        size = seat.post.size
        options = {"name": seat.name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
        place = {"scheduling_strategy": NodeAffinitySchedulingStrategy(seat.node, soft=False)}
        room = {"num_cpus": size.cu, "memory": size.memory_bytes}
        # Not started again by Ray: a worker's name belongs to one process, and its runs are given to others at once.
        rules = {"max_restarts": 0, "max_concurrency": 8}
        return self._host.options(**options, **place, **room, **rules).remote(seat.post)

    def _dismiss(self, seat: Seat) -> None:
        if seat.actor is not None:
            ray.kill(seat.actor)
        del self._seats[seat.name]

    def _listen(self, seat: Seat) -> Iterator[tuple[str, str]]:
        """Greet the actor, and hear what it answers."""
        now = time.monotonic()
        if seat.actor is None:
            return
        if seat.gone_at and now > seat.gone_at:
            ray.kill(seat.actor)
            if (told := seat.empty("it was told to leave")) is not None:
                yield told
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
            return "it was told to leave" if seat.gone_at else "its worker has ended"
        if not seat.worker:
            log.info("worker started", name=worker, group=seat.post.group, task=seat.post.task)
        seat.worker, seat.silent_at, seat.failures, seat.failed = worker, 0.0, 0, ""
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


def _without(available: Mapping[str, Mapping[str, float]], aside: Sequence[Taken]) -> Mapping[str, Mapping[str, float]]:
    """What is free at each node when these are gone, of which Ray knows some."""
    found = {node: dict(has) for node, has in available.items()}
    for each in aside:
        if each.known and each.node in found:
            has = found[each.node]
            has["CPU"] = has.get("CPU", 0) + each.size.cu
            has["memory"] = has.get("memory", 0) + each.size.memory_bytes
    return found


def pause_after(failures: int) -> float:
    """For how long nothing is started where so many have failed before this one."""
    first, most = PATIENT_SECONDS
    return float(min(most, first * 2 ** min(failures, 30)))
