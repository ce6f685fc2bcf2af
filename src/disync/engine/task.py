"""The loop: read → write → flush → save → ack, one thread a split.

The order of the last three is what the whole engine rests on: rows are durable in the target, then the position in the
store, then the source is told. In any other order a crash loses rows. What a crash between the first two repeats is at
most the rows written since the last checkpoint (`pace.FLUSH_ROWS` a split, or one batch if that is larger), and nothing
where the target keeps the checkpoint itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from types import TracebackType

import structlog

from disync.engine.ahead import Ahead
from disync.engine.chosen import take_up
from disync.engine.delay import Delay, longest
from disync.engine.following import Following
from disync.engine.joining import Joining
from disync.engine.late_keys import LateKeys
from disync.engine.lease import Lease
from disync.engine.ledger import Ledger
from disync.engine.lending import Back, Desk, Lending
from disync.engine.order import Order
from disync.engine.pace import Throttle
from disync.engine.plan import Pipeline
from disync.engine.replay import Replay
from disync.engine.reunion import Reunion
from disync.engine.saving import catch_up, save
from disync.engine.split_run import SplitRun
from disync.model.connector import ChangeReader, Sink
from disync.model.data import Batch, Dirty, Position, SchemaChange, Table
from disync.model.errors import DirtyLimit, Fenced, Misfit, NeedsConfirmation, TaskError
from disync.model.run import Checkpoint, Split, Start, Tally, Task

log = structlog.get_logger()

DISCOVER_SECONDS = 5.0
"""How often an endless source is asked for new streams while none of the known ones ends."""


class Run:
    """One run of a task: owns its reader, its writer and a thread for every split that is being read.

    `joins`: it begins by joining tables that have caught up to the source's stream. `joining`: it has ended, in good
    order, so that the next run does that. `loading`: parts of a full load are being read.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        task: Task,
        ledger: Ledger,
        lease: Lease,
        joins: bool = False,
        desk: Desk | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._task = task
        self._ledger = ledger
        self._lease = lease
        self._throttle = Throttle(pipeline.bytes_per_second)
        self._load: list[Split] = []
        self._threads: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._back: deque[Split] = deque()
        """What helpers have read or could not read, and is to be ended or read here."""
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._joins = joins
        self._joining = Joining(pipeline, task, ledger)
        self._following = Following(self, pipeline, task, ledger, self._joining)
        self._keys = LateKeys((), (), pipeline.writer.open)
        self._quiet: dict[str, Position | None] = {}
        """The streams, and where they are durable."""
        self._delays: dict[str, Delay] = {}
        self._lending = Lending(desk if pipeline.lends else None, pipeline.parallel, self._changed.set)
        pipeline.writer.guard(self._held)
        self.loading = True
        self.joining = False
        self.running = False

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running = False
        self._pipeline.close()

    @property
    def delay_ms(self) -> int | None:
        """How far the target is behind the source; None while that is not known, as during a full load."""
        return longest(list(self._delays.values()))

    def stop(self) -> None:
        """Ask the run to flush, save and end. Returns at once; `go` returns when it has."""
        self._stopping.set()
        self._changed.set()
        self._pipeline.reader.close()

    def go(self) -> None:
        """Run to the end of the source, or until `stop`. Raises the error that ended the run."""
        if self._stopping.is_set():
            return
        try:
            checkpoints = self._ready_to_go()
        except TaskError as error:
            if self._stopping.is_set() and error.retry:
                return  # asked to end before anything was read: its connections were hung up
            raise
        self._ended = {split for split, checkpoint in checkpoints.items() if checkpoint.done}
        self.running = True
        try:
            Replay(self, self._pipeline, self._task, self._ledger).go(checkpoints)
            self._supervise()
        except BaseException as failure:
            self._failure = self._failure or failure
        finally:
            self._pipeline.reader.close()
            self._lending.end()
            for thread in self._threads.values():
                thread.join()
        if self._failure is not None:
            raise self._failure
        if not self._stopping.is_set():
            self._pipeline.writer.finish()

    def _ready_to_go(self) -> Mapping[str, Checkpoint]:
        for warning in [*self._pipeline.reader.check(), *self._pipeline.writer.check()]:
            log.warning(warning, task=self._task.id)
        self._following.begin()
        self._pipeline.writer.dismiss(frozenset())
        self._prepare()
        take_up(self._pipeline, self._task, self._ledger)
        return self._begin()

    def _prepare(self) -> None:
        pipeline, load = self._pipeline, self._ledger.load()
        self._joining.require_targets(load, self._ledger.checkpoints())
        try:
            # What has come to the source since a load was begun, its log tells.
            lenient = self._task.confirmed or (pipeline.loads and bool(load))
            keyless = pipeline.writer.prepare_load(pipeline.targets, lenient, pipeline.small)
            self._keys = LateKeys(keyless, pipeline.routes, pipeline.writer.open)
        except Misfit as error:
            if self._task.isolates and not self._task.confirmed:
                raise NeedsConfirmation(f"{error} Or start the solution again to use the table as it is.") from error
            error.tables = self.sources(error.tables)
            raise

    def _begin(self) -> Mapping[str, Checkpoint]:
        """The checkpoints to go on from. At a task's first run it is decided, once, where its streams begin and how
        its full load is cut: saved before anything is read, and the streams' positions taken before the cuts."""
        pipeline, reader = self._pipeline, self._pipeline.reader
        known, load = self._ledger.checkpoints(), self._ledger.load()
        if not known and not load:
            first: list[Checkpoint] = []
            if isinstance(reader, ChangeReader):
                first = [self._first(reader, stream, pipeline.first) for stream in pipeline.streams(())]
            if pipeline.loads:
                self._joining.require_empty(pipeline.tables)
            load = pipeline.load()
            self._ledger.begin(first, load)
            known = self._ledger.checkpoints()
        else:
            self._joining.require_kept(load, known)
            doubtful = self._joining.leave(load, known)
            self._joining.renamed(self._ledger.load(), known)
            self._joining.come(self._ledger.load(), known, doubtful)
            if self._joins:
                self._join()
            load, known = self._ledger.load(), self._ledger.checkpoints()
        tables = {table.name: table for table in pipeline.tables}
        self._load = [replace(split, table=tables[split.table.name]) for split in load if split.table.name in tables]
        self._keys.begin(self._load, {split for split, checkpoint in known.items() if checkpoint.done})
        self._ledger.routed(lambda: pipeline.flows)
        return known

    def _join(self) -> None:
        """Tables with a stream of their own are told of by the source's, once both have been read to one place."""
        for side in sorted({split.stream for split in self._ledger.load()} - {""}):
            streams = {stream.id: stream for stream in self._pipeline.streams(self._ledger.load())}
            main, other = next(iter(streams.values())), streams[side]
            if all(split in (marks := self._ledger.checkpoints()) and marks[split].done for split in other.parents):
                self._bring(other, self._bring(main, None))
                self._bring(main, self._bring(other, None))
                if not self.halted:
                    self._ledger.join(side)
                    log.info("tables have joined", task=self._task.id, tables=sorted(other.tables or ()))

    def _bring(self, stream: Split, until: Position | None) -> Position:
        """Read a stream up to the first place that is not before `until` (None: not at all); where it then is."""
        opened = self._open(stream, self._ledger.checkpoints()[stream.id])
        if opened is None:
            return self._ledger.checkpoints()[stream.id].position
        sink, latest = opened
        try:
            assert latest is not None, "it was begun"
            if until is None or not isinstance(self._pipeline.reader, ChangeReader):
                return latest.position
            bounded = replace(stream, until=until, format=self._pipeline.format)
            events = self._pipeline.reader.changes(bounded, latest.position)
            SplitRun(self, bounded, sink, latest.position).take_all(events)
            return self._ledger.checkpoints()[stream.id].position
        finally:
            sink.close()

    def _first(self, reader: ChangeReader, stream: Split, start: Start) -> Checkpoint:
        return Checkpoint(stream.id, reader.seek(stream, start), self._task.epoch)

    def _supervise(self) -> None:
        """Start a thread for every split whose parents have been read to their end, until all is read. A stream may
        never end, so each has a thread of its own; bounded splits share `parallel` of them."""
        order = Order(self._load, lambda: self._pipeline.streams(self._load), self._ended)
        self._lending.begin(order.parts, self._pipeline.tables)
        while not self._stopping.is_set() and self._failure is None:
            self._hand_out(order)
            elsewhere = self._lending.out or bool(self._back)
            self.loading = elsewhere or bool(self._threads.keys() - self._quiet.keys())
            if not self._threads and not elsewhere and order.over(self._ended):
                return
            if not self._changed.wait(DISCOVER_SECONDS):
                order.ask()
            self._changed.clear()
            for split_id in [split_id for split_id in self._threads if split_id in self._ended]:
                self._threads.pop(split_id).join()  # it is about to let go of its sink
                order.ended(split_id)

    def _hand_out(self, order: Order) -> None:
        """Begin what may begin, here or at workers that help. What one of those has read is only ended here."""
        lending = self._lending
        reading = len(self._threads.keys() - self._quiet.keys())
        room = self._pipeline.parallel - len(lending.seats) - reading
        if left := lending.returned(Back.LEFT):
            self._pipeline.writer.dismiss(lending.seats)
        for split, _ in left:
            order.again(split)
        back = lending.returned(Back.DONE, Back.FAILED)
        over = self._over([split for split, returned in back if returned.back is Back.DONE])
        for split, returned in back:
            if returned.reason:
                self._heed(split, returned.reason)
            if split.id in over:
                self._ended.add(split.id)
                order.ended(split.id)
            else:
                self._back.append(split)
        # One of them even where all channels are others', of whom one then has nothing to read (`excess`).
        while self._back and (room > 0 or not reading):
            self._launch(self._back.popleft())
            room, reading = room - 1, reading + 1
        lend: list[Split] = []
        excess = max(0, -room)
        for split in order.ready(self._threads, self._ended, max(0, room) + lending.room(excess)):
            if split.endless or room > 0:
                self._launch(split)
                room -= not split.endless
            else:
                lend.append(split)
        lending.lend(lend, excess)
        if not order.parts:
            lending.none_left()

    def _heed(self, split: Split, reason: str) -> None:
        """A helper could not read this part. It is read here, and what is wrong is then met here; but rows that were
        refused do not come again."""
        log.warning("a helper failed", task=self._task.id, split=split.id, reason=reason)
        code, _, text = reason.partition(": ")
        if code == DirtyLimit.code:
            raise DirtyLimit(text, [split.table.name])

    def _over(self, done: Sequence[Split]) -> Set[str]:
        """Those of these parts that are read to their end, as their target says too, and of whose tables no key is to
        be made."""
        candidates = [split.id for split in done if not self._keys.waits(split)]
        return (self._pipeline.writer.ended(candidates) if candidates else None) or frozenset()

    def _launch(self, split: Split) -> None:
        split = replace(split, format=self._pipeline.format)
        thread = threading.Thread(target=self._carry, args=(split,), name=f"split-{split.id}", daemon=True)
        self._threads[split.id] = thread
        if split.endless:
            self._quiet[split.id] = None
        thread.start()

    def _carry(self, split: Split) -> None:
        """From where the store has it now: of a part that was lent that is further than when this run began."""
        try:
            opened = self._open(split, self._ledger.checkpoint(split.id))
            if opened is None:
                return
            sink, latest = opened
            try:
                if latest is not None and latest.done:
                    self.split_ended(split, sink)
                else:
                    self._read(split, sink, latest)
            finally:
                sink.close()
        except BaseException as failure:
            if self._failure is None:
                self._failure = failure
        finally:
            self._changed.set()

    def _open(self, split: Split, saved: Checkpoint | None) -> tuple[Sink, Checkpoint | None] | None:
        """What takes the rows of a split, and where it goes on; None: the run was halted meanwhile."""
        if split.endless:
            try:
                return Reunion(self, self._pipeline, split, saved).open()
            except TaskError as error:
                error.tables = self.sources(error.tables)
                raise
        sink = self._pipeline.writer.open(split)
        try:
            held = sink.last()
            if held is None and sink.keeps_checkpoint:
                return sink, None  # it has no rows of this part either, whatever anybody has saved
            return sink, self.latest(held, saved)
        except BaseException:
            sink.close()
            raise

    def latest(self, held: Checkpoint | None, saved: Checkpoint | None) -> Checkpoint | None:
        """Where to go on: where the target is, if it keeps that."""
        if held is None:
            return saved
        if held.epoch > self.epoch:
            raise Fenced(f"Run {held.epoch} has written {held.split}; this is run {self.epoch}.", held.epoch)
        catch_up(self._ledger, held, saved, self.epoch)
        return held

    def _read(self, split: Split, sink: Sink, checkpoint: Checkpoint | None) -> None:
        reader = self._pipeline.reader
        if not isinstance(reader, ChangeReader) or not split.endless:
            after = checkpoint.position if checkpoint else None
            with Ahead(reader.read(split, after), f"ahead-{split.id}") as events:
                SplitRun(self, split, sink, after).take_all(events)
            return
        checkpoint = checkpoint or self.first(split)
        with Ahead(reader.changes(split, checkpoint.position), f"ahead-{split.id}") as events:
            SplitRun(self, split, sink, checkpoint.position).take_all(events)

    # What a SplitRun, a Reunion, a Replay or Following asks of its run.

    def first(self, stream: Split) -> Checkpoint:
        """Of a stream born after the task began (a shard of a split): everything in it is new."""
        assert isinstance(self._pipeline.reader, ChangeReader), "only a log comes in streams"
        checkpoint = self._first(self._pipeline.reader, stream, Start())
        self._ledger.begin([checkpoint])
        return checkpoint

    @property
    def epoch(self) -> int:
        return self._task.epoch

    @property
    def halted(self) -> bool:
        return self._stopping.is_set() or self._failure is not None

    def admit(self, size: int) -> None:
        """Called before every write: keeps the rate, and holds back a run whose lease may have passed to another."""
        self._throttle.take(size)
        self._held()

    def _held(self) -> None:
        if not self._lease.valid:
            raise Fenced("The lease of this run could not be renewed in time.")

    def save(self, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None:
        self._held()
        save(self._task, self._ledger, self._refusing, checkpoint, sink, tally)

    def _refusing(self, dirty: Sequence[Dirty]) -> Set[str]:
        """The targets of the tables that these rows are of; none where one of them does not tell."""
        places = {
            name: route.target.name
            for route in self._pipeline.routes
            for name in (route.source.name, self._pipeline.writer.place(route.target))
        }
        found = {places.get(row.table, "") for row in dirty}
        return frozenset() if "" in found else found

    def leaves(self, error: TaskError) -> bool:
        """Whether the task goes on without the tables that an error is about: some others are left."""
        of_tables = self._task.isolates and not error.retry and bool(error.tables)
        return of_tables and not error.tables.issuperset(table.name for table in self._pipeline.tables)

    def sources(self, targets: Set[str]) -> frozenset[str]:
        """The tables of the source that become these."""
        return frozenset(r.source.name for r in self._pipeline.routes if r.target.name in targets)

    def mapped(self, batch: Batch) -> Batch:
        return self._pipeline.transform.batch(batch)

    def followed(self, change: SchemaChange) -> SchemaChange | None:
        return self._following.followed(change)

    def altered(self, change: SchemaChange) -> None:
        self._following.altered(change)

    def belongs(self, change: SchemaChange) -> None:
        known = {split.table.name for split in self._load}
        if change.kind in ("CREATETABLE", "RENAMETABLE") and self._pipeline.loads and change.after.name not in known:
            told = self._joining.belongs(change.after)
            self._ended.add(told.id)
            self._load.append(told)

    def begin_anew(self) -> None:
        """End in good order, so that another run begins."""
        self.joining = True
        self.stop()

    def acknowledge(self, split: Split, upto: Position) -> None:
        if isinstance(self._pipeline.reader, ChangeReader) and split.endless:
            self._pipeline.reader.ack(split, upto)

    def delay_of(self, split: Split) -> Delay:
        """That of a split with an end is nobody's."""
        found = Delay()
        if split.endless and split.until is None:
            self._delays[split.id] = found
        return found

    def changes_by_key(self, table: Table) -> None:
        """Rows of this table of the source are to be changed by key, be it loaded or not."""
        self._keys.require([table.name])

    def split_ended(self, split: Split, sink: Sink) -> None:
        if not split.endless:
            self._keys.ended(split, sink)
        self._delays.pop(split.id, None)
        self._ended.add(split.id)

    def reached(self, split: Split, position: Position) -> None:
        """A stream is durable up to here. When all are near each other, those of their own can be joined."""
        self._quiet[split.id] = position
        reader = self._pipeline.reader
        apart = any(part.stream for part in self._load) and all(part.id in self._ended for part in self._load)
        if (
            apart
            and isinstance(reader, ChangeReader)
            and all(at is not None and reader.near(at, position) for at in self._quiet.values())
        ):
            self.begin_anew()
