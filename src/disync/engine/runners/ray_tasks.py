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
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from disync.engine.placement import Board, Crew, Post, Seats
from disync.engine.runners.ray import RayRunner, pause_after
from disync.engine.runners.ray_door import cause
from disync.engine.runners.ray_nodes import Taken, rooms

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
    """A task that was given to Ray. `seatless_at`: since when it has no seat. `leaving`: it was asked to end."""

    name: str
    group: str
    node: str
    result: Any
    seatless_at: float | None
    leaving: bool = False

    @property
    def seated(self) -> bool:
        return self.seatless_at is None


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
    def __init__(self, crew: Crew, board: Board, runner: RayRunner) -> None:
        self._crew, self._board, self._runner = crew, board, runner
        # A process for each task, which ends with it: what it has of secrets and of memory is gone with it.
        self._help = ray.remote(max_retries=0, max_calls=1)(help_with)
        self._given: dict[str, Given] = {}
        self._patience: dict[str, Patience] = {}
        self._before: Mapping[str, int] = {}
        """Seats that were free at the last look: whoever is idle takes them first."""

    def tend(self) -> None:
        """Take note of the tasks that have ended, and start those that are wanted. Called about once a second."""
        self._hear()
        seats = self._board.seats()
        self._give_up(seats)
        self._make_way()
        for group, free in seats.free.items():
            wanted = min(free, self._before.get(group, 0)) - self._seatless(group)
            if wanted > 0 and self._patience.setdefault(group, Patience()).over:
                self._start(group, wanted, gently(self._rooms(group), [*self._given.values()]))
        self._before = seats.free
        self._runner.aside = self._aside

    def _hear(self) -> None:
        for given in list(self._given.values()):
            if not ray.wait([given.result], timeout=0)[0]:
                continue
            del self._given[given.name]
            if given.leaving:
                continue
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

    def _make_way(self) -> None:
        """For workers that no node has room for."""
        for given in self._given.values():
            if given.node in self._runner.lacking and not given.leaving:
                log.info("a helper makes way for a large task", name=given.name, group=given.group, node=given.node)
                ray.cancel(given.result)
                given.leaving = True

    def _seatless(self, group: str) -> int:
        """Tasks that may take a seat any moment."""
        return sum(given.group == group and not given.seated for given in self._given.values())

    def _rooms(self, group: str) -> Counter[str]:
        size, runner = self._crew.size, self._runner
        nodes = [node for node in runner.nodes if node["NodeID"] not in runner.lacking]
        return rooms(size, group, nodes, runner.available(), [*runner.taken(), *self._aside])

    @property
    def _aside(self) -> list[Taken]:
        return [Taken(given.node, self._crew.size, given.seated) for given in self._given.values()]

    def _start(self, group: str, wanted: int, rooms: Counter[str]) -> None:
        """Each at the node that has most room."""
        for _ in range(wanted):
            [(node, left)] = rooms.most_common(1) or [("", 0)]
            if left <= 0:
                return
            rooms[node] -= 1
            name = NAME + token_hex(6)
            place = NodeAffinitySchedulingStrategy(node, soft=False)  # as of an actor, see ray.py
            post = self._crew.help_post(group)
            room = {"num_cpus": post.size.cu, "memory": post.size.memory_bytes}
            task = self._help.options(name=name, scheduling_strategy=place, **room)
            result = task.remote(post, name)
            self._given[name] = Given(name, group, node, result, time.monotonic())
            log.info("a helper is started", name=name, group=group, node=node)

    def leave(self) -> None:
        """Ask every task to give back what it has, and to end."""
        for given in self._given.values():
            if not given.leaving:  # a second interrupt would be one to its giving back
                ray.cancel(given.result)

    def stop(self, within: float) -> None:
        """End them, at the latest after so many seconds."""
        results = [given.result for given in self._given.values()]
        left = ray.wait(results, num_returns=len(results), timeout=within)[1] if results else []
        for result in left:
            ray.cancel(result, force=True)
        self._given.clear()


def gently(rooms: Mapping[str, int], given: Sequence[Given]) -> Counter[str]:
    """How many of them are started now: one at a node, and as many more as have begun to read there. To begin takes a
    process more than a second of a core, which many that begin at once take from the load, and which a short load never
    gives back."""
    reading = Counter(each.node for each in given if each.seated)
    coming = Counter(each.node for each in given if not each.seated)
    return Counter({node: min(room, max(1, reading[node]) - coming[node]) for node, room in rooms.items()})
