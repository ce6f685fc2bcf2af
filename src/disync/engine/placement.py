"""What a cluster offers, and what its runner asks of whoever knows which tasks are wanted: the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Offer:
    """What the nodes of one resource group have in all. `names`: of the nodes, as the cluster has them."""

    names: tuple[str, ...] = ()
    cpus: float = 0.0
    memory_bytes: int = 0

    def __add__(self, other: Offer) -> Offer:
        names, cpus = self.names + other.names, self.cpus + other.cpus
        return Offer(names, cpus, self.memory_bytes + other.memory_bytes)

    @property
    def nodes(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Size:
    """What a worker takes of its node, in the vendor's unit: one CU is one CPU and 4 GiB."""

    cu: float = 0.5

    @property
    def memory_bytes(self) -> int:
        return int(self.cu * 4 * GIB)

    def __str__(self) -> str:
        return f"{self.cu:g} CPU and {self.cu * 4:g} GiB"


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works, what it takes of its node, and for which installation. `make` names the function that makes
    it from this. `task`: the only one that it runs; None: whatever is no larger than the worker."""

    make: str
    installation: str
    group: str
    size: Size
    task: int | None = None


@dataclass(frozen=True, slots=True)
class Large:
    """A task that asks, by its Cu, for more than a worker of the crew has. It has a worker of its own, of that size."""

    task: int
    group: str
    size: Size


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of an installation: how many for each node of a group, and what each takes of it. `help` names the
    function that helps with a load, from a Post and the name of a worker."""

    make: str
    help: str
    installation: str
    workers: int
    size: Size

    @property
    def prefix(self) -> str:
        """So begins the name of every actor of this installation."""
        return f"{self.installation}/"

    def post(self, group: str) -> Post:
        return Post(self.make, self.installation, group, self.size)

    def own_post(self, large: Large) -> Post:
        return Post(self.make, self.installation, large.group, large.size, large.task)

    def help_post(self, group: str) -> Post:
        return Post(self.help, self.installation, group, self.size)


@dataclass(frozen=True, slots=True)
class Staff:
    """Where workers are up: for what these groups have of small tasks, and for these large ones. `failed`: why the last
    worker of a group, or of a large task, did not come up."""

    groups: Set[str] = frozenset()
    tasks: Set[int] = frozenset()
    failed: Mapping[str | int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seats:
    """What loads ask for whose runs have more parts than they read themselves. `free`: seats that nobody has taken, by
    resource group; `sitting`: the workers that have one."""

    free: Mapping[str, int]
    sitting: Set[str]


class Board(Protocol):
    """Where it is written down who waits for what."""

    def tell(self, offers: Mapping[str, Offer], staff: Staff) -> None:
        """What there is by resource group, and where workers are up. The tasks of others wait, and now say for what."""

    def large(self) -> Sequence[Large]:
        """Those that should run, or still do."""

    def away(self, cause: str) -> None:
        """There is no cluster that could run anything."""

    def seats(self) -> Seats:
        """What is asked for now."""
