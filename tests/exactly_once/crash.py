"""Where a run may die: a gate stands between the engine and everything it calls, and strikes at a chosen passage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from journal import Journal
from truth import Difference

from disync.engine.ledger import Ledger
from disync.engine.plan import Pipeline
from disync.model.connector import ChangeReader, Reader, Sink, Writer
from disync.model.data import Dirty, Idle, Position
from disync.model.run import Checkpoint, Split, Tally

T = TypeVar("T")

POINTS = (
    *("before write", "after write", "before flush", "after flush", "before save", "after save"),
    *("before last", "before keyed", "after keyed"),
    *("before ack", "after ack", "before alter", "after alter", "before changes", "before read"),
    *("before begin", "after begin", "before prepare_load", "after prepare_load", "before seek", "after split"),
)
"""The gate's passages at which seeds strike. `changes` and `read`: between two events of a stream or a split."""

WAIT_SECONDS = 60.0


class Crash(BaseException):
    """The process is dead. No exception of the engine's own, so that nothing treats it as an error to be handled."""


@dataclass(slots=True)
class Strike:
    """What happens at the `left`-th passage of `point` from now on."""

    point: str
    left: int
    action: Callable[[Gate], None]
    struck: threading.Event = field(default_factory=threading.Event)


class Gate:
    """Everything one run calls passes here. Once it is dead nothing passes: a process that was killed calls nothing."""

    def __init__(self, journal: Journal, name: str, saved: set[Position], dismisses: bool = True) -> None:
        self._journal, self._name = journal, name
        self.dismisses = dismisses
        """Whether this run ends the sessions of those before it; else only their epochs hold them back."""
        self.saved = saved
        """Positions that the ledger of the task has ever been given and has kept."""
        self._strike: Strike | None = None
        self._lock = threading.Lock()
        self._thawed = threading.Event()
        self._thawed.set()
        self.dead = False

    def arm(self, strike: Strike | None) -> None:
        with self._lock:
            self._strike = strike

    @property
    def frozen(self) -> bool:
        return not self._thawed.is_set()

    def die(self) -> None:
        self.dead = True
        self._thawed.set()

    def freeze(self) -> None:
        """Whoever comes to the gate waits there, as in a process that got SIGSTOP."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def note(self, *what: Any) -> None:
        self._journal.note(self._name, *what)

    def passes(self, name: str, call: Callable[[], T], *about: Any) -> T:
        self.at(f"before {name}")
        self.note(name, *about)
        try:
            result = call()
        except Exception as error:
            self.note(name, "failed:", error)
            if self.dead:
                raise Crash(name) from error
            raise
        self.at(f"after {name}")
        return result

    def at(self, point: str) -> None:
        strike = self._due(point)
        if strike is not None:
            self.note("STRIKE", point)
            strike.action(self)
            strike.struck.set()
        if not self._thawed.wait(WAIT_SECONDS):
            raise RuntimeError(f"nobody thawed the run that froze {point}")
        if self.dead:
            raise Crash(point)

    def _due(self, point: str) -> Strike | None:
        with self._lock:
            strike = self._strike
            if strike is None or strike.point != point or strike.left < 1 or self.dead:
                return None
            strike.left -= 1
            return strike if strike.left == 0 else None


def gated(pipeline: Pipeline, gate: Gate) -> Pipeline:
    """The same pipeline, with the gate before its reader, its writer and every sink. The source may be told of nothing
    that the ledger has not kept."""
    reader, writer = pipeline.reader, pipeline.writer
    contract = ChangeReader if isinstance(reader, ChangeReader) else Reader

    def ack(stream: Split, upto: Position) -> None:
        if upto not in gate.saved:
            raise Difference(f"{upto} was acknowledged before it was saved")
        assert isinstance(reader, ChangeReader)
        reader.ack(stream, upto)

    replaced = {"ack": ack} if isinstance(reader, ChangeReader) else {}
    return replace(
        pipeline,
        reader=_behind(gate, contract, reader, **replaced),
        writer=_behind(
            gate,
            Writer,
            writer,
            open=lambda split: _behind(gate, Sink, writer.open(split)),
            dismiss=writer.dismiss if gate.dismisses else lambda helpers: None,
        ),
    )


def gated_ledger(ledger: Ledger, gate: Gate) -> Any:
    def begin(checkpoints: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        ledger.begin(checkpoints, load)
        gate.saved.update(checkpoint.position for checkpoint in checkpoints)

    def save(checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        refused = ledger.save(checkpoint, dirty, tally)
        gate.saved.add(checkpoint.position)
        return refused

    return _behind(gate, Ledger, ledger, begin=begin, save=save)


_FREE = ("close", "finish")
"""A dead process, too, lets go of its connections."""


def _behind(gate: Gate, contract: type[T], inner: T, **replaced: Callable[..., Any]) -> Any:
    """An implementation of `contract` that forwards every call of it through the gate."""

    def forward(name: str) -> Callable[..., Any]:
        method = replaced.get(name) or getattr(inner, name)
        if name in _FREE:
            return lambda _, *given, **named: method(*given, **named)
        if name in ("changes", "read"):
            return lambda _, *given: _events(gate, name, method(*given))
        return lambda _, *given, **named: gate.passes(name, lambda: method(*given, **named), *given[:1])

    names = [name for name in dir(contract) if not name.startswith("_")]
    members = {name: forward(name) if callable(getattr(inner, name)) else getattr(inner, name) for name in names}
    return type(f"Gated{contract.__name__}", (contract,), {**members, "__init__": lambda _: None})()


def _events(gate: Gate, name: str, events: Iterator[Any]) -> Iterator[Any]:
    try:
        for event in events:
            gate.at(f"before {name}")
            if not isinstance(event, Idle):
                gate.note("read", event)
            yield event
    except Exception as error:
        if gate.dead:
            raise Crash(name) from error
        raise
