"""Parts of full loads that Ray tasks read: see helper.py for what each of them does.

A run of a resource group that offers seats which nobody takes is helped by Ray tasks, one for each seat, on the nodes
of its group that have room beside their workers. The store decides who reads what, as for any helper: a task that is
killed, or frozen, or cut off, loses its seat by its lease. Here it is only decided how many are started, and where.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from secrets import token_hex
from typing import Any

import ray
import structlog
from ray._private.state import available_resources_per_node
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from disync.engine.placement import Board, Crew, Post, Seats, Size
from disync.engine.runners.ray import PREFIX, cause, pause_after

log = structlog.get_logger()

NAME = "help-"
"""So begins the name of every task, and of the worker that it is in the store."""

SEATLESS_SECONDS = 30.0
"""A task that has had no seat for so long is given up, be it that it was not started, or that it is frozen."""


def help_with(post: Post, name: str) -> int:
    """The task. Returns how many parts it has read."""
    # Ray asks it to leave by an interrupt, which nobody would hear where the node was started in the background of a
    # script: such a shell has all its children ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found: int = resolve_name(post.make)(post, name)
    return found


@dataclass(slots=True)
class Given:
    """A task that was given to Ray. `seatless_at`: since when it has no seat."""

    name: str
    group: str
    node: str
    result: Any
    seatless_at: float | None


@dataclass(slots=True)
class Patience:
    """Of a group, after tasks that failed, or found nothing to read."""

    failures: int = 0
    again_at: float = 0.0

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.again_at

    def lose(self) -> None:
        """Those of one look count once."""
        if self.over:
            self.again_at = time.monotonic() + pause_after(self.failures)
            self.failures += 1


class Helpers:
    def __init__(self, crew: Crew, board: Board) -> None:
        self._crew, self._board = crew, board
        # A process for each task, which ends with it: what it has of secrets and of memory is gone with it.
        self._help = ray.remote(max_retries=0, max_calls=1)(help_with)
        self._given: dict[str, Given] = {}
        self._patience: dict[str, Patience] = {}
        self._before: Mapping[str, int] = {}
        """Seats that were free at the last look: whoever is idle takes them first."""

    def tend(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        """Take note of the tasks that have ended, and start those that are wanted. Called about once a second."""
        self._hear()
        seats = self._board.seats()
        self._give_up(seats)
        for group, free in seats.free.items():
            wanted = min(free, self._before.get(group, 0)) - self._seatless(group)
            if wanted > 0 and self._patience.setdefault(group, Patience()).over:
                given, available = [*self._given.values()], available_resources_per_node()
                room = rooms(self._crew, group, nodes, available, given)
                self._start(group, wanted, gently(room, given))
        self._before = seats.free

    def _hear(self) -> None:
        for given in list(self._given.values()):
            if not ray.wait([given.result], timeout=0)[0]:
                continue
            del self._given[given.name]
            patience = self._patience.setdefault(given.group, Patience())
            try:
                if ray.get(given.result):
                    patience.failures = 0
                    continue
            except RayError as error:
                log.error("a helper has failed", name=given.name, group=given.group, cause=cause(error))
            patience.lose()

    def _give_up(self, seats: Seats) -> None:
        now = time.monotonic()
        for given in list(self._given.values()):
            if given.name in seats.sitting:
                given.seatless_at = None
            elif given.seatless_at is None:
                given.seatless_at = now
            elif now - given.seatless_at > SEATLESS_SECONDS:
                log.warning("a helper is given up: it has no seat", name=given.name, group=given.group)
                ray.cancel(given.result, force=True)
                del self._given[given.name]
                self._patience.setdefault(given.group, Patience()).lose()

    def _seatless(self, group: str) -> int:
        """Tasks that may take a seat any moment."""
        return sum(given.group == group and given.seatless_at is not None for given in self._given.values())

    def _start(self, group: str, wanted: int, rooms: Counter[str]) -> None:
        """Each at the node that has most room."""
        for _ in range(wanted):
            [(node, room)] = rooms.most_common(1) or [("", 0)]
            if room <= 0:
                return
            rooms[node] -= 1
            name = NAME + token_hex(6)
            place = NodeAffinitySchedulingStrategy(node, soft=False)  # as of an actor, see ray.py
            size = {"num_cpus": self._crew.size.cu, "memory": self._crew.size.memory_bytes}
            task = self._help.options(name=name, scheduling_strategy=place, **size)
            result = task.remote(self._crew.help_post(group), name)
            self._given[name] = Given(name, group, node, result, time.monotonic())
            log.info("a helper is started", name=name, group=group, node=node)

    def leave(self) -> None:
        """Ask every task to give back what it has, and to end."""
        for given in self._given.values():
            ray.cancel(given.result)

    def stop(self, within: float) -> None:
        """End them, at the latest after so many seconds."""
        results = [given.result for given in self._given.values()]
        left = ray.wait(results, num_returns=len(results), timeout=within)[1] if results else []
        for result in left:
            ray.cancel(result, force=True)
        self._given.clear()


def rooms(
    crew: Crew,
    group: str,
    nodes: Sequence[Mapping[str, Any]],
    available: Mapping[str, Mapping[str, float]],
    given: Sequence[Given],
) -> Counter[str]:
    """How many more tasks each node of the group has room for: beside its workers, be they up or not, and beside what
    else Ray has there. What was started a moment ago may not be `available` any more, or not yet be known."""
    found: Counter[str] = Counter()
    for node in nodes:
        name, has = node["NodeID"], node["Resources"]
        if PREFIX + group not in has:
            continue
        workers = crew.workers * sum(each.startswith(PREFIX) for each in has)
        tasks = [each for each in given if each.node == name]
        seatless = sum(each.seatless_at is not None for each in tasks)
        now = available.get(name, {})
        found[name] = min(_fit(has, crew.size) - workers - len(tasks), _fit(now, crew.size) - seatless)
    return found


def gently(rooms: Mapping[str, int], given: Sequence[Given]) -> Counter[str]:
    """How many of them are started now: one at a node, and as many more as have begun to read there. To begin takes a
    process more than a second of a core, which many that begin at once take from the load, and which a short load never
    gives back."""
    reading = Counter(each.node for each in given if each.seatless_at is None)
    coming = Counter(each.node for each in given if each.seatless_at is not None)
    return Counter({node: min(room, max(1, reading[node]) - coming[node]) for node, room in rooms.items()})


def _fit(has: Mapping[str, float], size: Size) -> int:
    """How many of this size have room in what there is."""
    return int(min(has.get("CPU", 0) / size.cu, has.get("memory", 0) / size.memory_bytes) + 1e-6)
