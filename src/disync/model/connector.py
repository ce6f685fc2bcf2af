"""What a connector author implements: the docstrings are the contract, and tests/contract holds every connector to it.

All calls are synchronous. Readers and writers are used by one thread, except that each split and each sink has its own
thread: what they share must be safe. A connector raises only the errors of `model.errors`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from disync.model import kept
from disync.model.compare import Hash, Inspection, Method, Trait
from disync.model.data import Batch, Column, Dirty, Event, Position, SchemaChange, Table
from disync.model.errors import BadConfig
from disync.model.kept import Kept
from disync.model.lineage import Dataset
from disync.model.outlook import Measured, Outlook, Seen
from disync.model.run import Checkpoint, Split, Start


class Reader(ABC):
    """Reads what is there: a bounded set of rows."""

    formats: ClassVar[tuple[str, ...]] = ()
    """Encodings it can deliver besides Arrow, the fastest first."""

    @abstractmethod
    def check(self) -> list[str]:
        """Raise BadConfig or Unreachable, with the remedy, if reading cannot work. Returns warnings."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """The tables that the step selects, as the source has them now."""

    def names(self) -> list[Table]:
        """As `tables`, in the same order, but without columns and keys: quick even where they are thousands."""
        return [replace(table, columns=(), keys=()) for table in self.tables()]

    def look(self, tables: Sequence[Table]) -> list[Seen]:
        """Some of `names` as the source declares them; one that is gone meanwhile is left out."""
        wanted = {table.name for table in tables}
        return [
            Seen(table, {column.name: str(column.kind) for column in table.columns})
            for table in self.tables()
            if table.name in wanted
        ]

    def estimates(self, tables: Sequence[Table]) -> Mapping[str, int]:
        """About how many rows each of `tables` has, by its name, as far as that is known without counting them."""
        del tables
        return {}

    @abstractmethod
    def split(self, want: int) -> list[Split]:
        """Cut the source into about `want` splits; together they hold every row once."""

    @abstractmethod
    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        """Rows of `split` after `after` (None: from its beginning), in the split's order; ends at its end.

        Called again after a crash with the last position that became durable: it must deliver every row after it.
        """

    def locate(self, split: Split, text: str) -> Position:
        """The position of `split` that a person has written, as it is kept; of an endless split only the id is known.

        BadConfig where the text is none, or names a place where reading cannot be taken up; PositionGone where the
        source does not have any more what comes behind it.
        """
        raise BadConfig("The positions of this source cannot be set by hand.")

    def reread(self, table: Table, rows: Sequence[Kept]) -> Iterator[Batch]:
        """Rows of `table` that the target refused, as they are to be written now: each a batch of one row, which has
        `Kept.position`; in any order, and no batch for a row that cannot be given.

        A source that can be asked by key (that of `table`, which may be another than its own) gives the row that has it
        now as U, and where there is none a D that holds the key alone. It is asked before the log is followed, so that
        all later changes come after. Others give the row as it was kept, with ops None: it is written once more.
        """
        return kept.stored(table, rows)

    def traits(self, table: Table) -> Mapping[str, Trait]:
        """What its database can do with each column of `table`, to compare it. BadConfig where it cannot be."""
        raise BadConfig(f"{table.name} cannot be compared: its source is no database that computes checksums.")

    def hash(self) -> Hash:
        """By what its database hashes what is compared. A target knows every one."""
        return Hash.MD5

    def inspect(self, table: Table, method: Method) -> Inspection:
        """A look at the columns that `table` has, by a connection of its own, which the caller closes."""
        raise BadConfig(f"{table.name} cannot be compared: its source is no database that computes checksums.")

    def dataset(self, table: Table) -> Dataset | None:
        """The name under which the whole world knows the table; None where nobody else can look at it."""
        del table
        return None

    def close(self) -> None:
        """Let go of connections and wake every thread that waits in `read` or `changes`. May be called twice."""
        return None


class ChangeReader(Reader):
    """Follows a log that has no end. The log comes in one stream (a binlog) or in several (one a shard)."""

    loads: bool = False
    """Whether its log does not reach back to the first row, so that a task that starts at `earliest` takes the log's
    position (`seek` to latest), loads what is there by `split` and `read`, and then follows the log from that position.
    """

    def came(self, tables: Sequence[Table], after: Position, renamed: bool) -> frozenset[str]:
        """The names of those of `tables` of which the log tells from their first row on when it is taken up at `after`:
        made behind it, or, where the target follows tables that are `renamed`, another name of a table that was
        selected before. All others have to be loaded."""
        del tables, after, renamed
        return frozenset()

    def renamed(self, tables: Sequence[Table], after: Position) -> frozenset[str]:
        """The names of those of `tables` of which a column has got another name since `after`: what is read of them now
        fits no target that has followed the log up to there alone."""
        del tables, after
        return frozenset()

    @abstractmethod
    def streams(self) -> list[Split]:
        """Every stream there is now, closed ones that still hold records included; asked again when one ends."""

    @abstractmethod
    def seek(self, stream: Split, start: Start) -> Position:
        """The position to begin at. Called once in a stream's life, and made durable before the first read."""

    def mark(self, stream: Split) -> Position:
        """A place in the stream behind everything that has happened until now, to hold others against (`passed`)."""
        return self.seek(stream, Start("latest"))

    def passed(self, held: Position, mark: Position) -> bool:
        """Whether whoever has read up to `held` has read all that lies before `mark`; False where it cannot be told."""
        return held == mark

    @abstractmethod
    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        """Every change after `after`, in the log's order; Idle when there is none just now (at least once a second).

        Ends only when the stream itself has ended (a sealed shard, read to its last record), after `close`, or at the
        first valid position that is not before `stream.until`. A reader that `loads` heeds `stream.tables`, too.
        """

    def near(self, one: Position, other: Position) -> bool:
        """Whether it takes no more than about a second to read from one of them to the other."""
        return one == other

    @abstractmethod
    def ack(self, stream: Split, upto: Position) -> None:
        """All up to `upto` is durable in target and store: the source may forget it. Never called before that."""


@dataclass(frozen=True, slots=True)
class Parting:
    """How the changes of a table may be parted over several sinks.

    `places` of the key's columns among the table's, and how the target compares each (`native.fold`): rows with equal
    keys go to one sink. No places: all of its rows do. `bound`: what is written of it rests on rows of other tables, or
    they on its own: all tables of which this is said go to the same sink.
    """

    places: tuple[int, ...] = ()
    compared: tuple[str, ...] = ()
    bound: bool = False


class Sink(ABC):
    """Takes the rows of one split, in order, in one thread.

    A stream may have several, for different keys: the first has the id of the split, the others ids of their own
    (`engine.fan`). `parts`, `parting`, `hold` and `forget` are there for them.
    """

    keeps_checkpoint: ClassVar[bool] = False
    """Whether rows and checkpoint become durable in one transaction, so that a crash repeats no row."""

    def parts(self) -> Sequence[str]:
        """The ids of the other sinks of its split of which the target has a checkpoint that is not `done`."""
        return ()

    def parting(self, table: Table) -> Parting:
        """How the changes of this table of the target may be parted, as it stands now."""
        del table
        return Parting()

    def hold(self) -> None:
        """Others have been written to for a while, in the same transaction of the source: what was written must not be
        given up by a server that takes this for idleness."""
        return None

    def forget(self) -> None:
        """All is flushed, and another sink of the stream is going to alter tables: nothing that is known of them counts
        any more, and none of them is held."""
        return None

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Take a batch. It may be buffered: only `flush` promises anything."""

    @abstractmethod
    def alter(self, change: SchemaChange) -> None:
        """Follow a change of the source's schema."""

    def keyed(self, table: Table) -> None:
        """All that there was of a table has been loaded and flushed: it gets the key that it was made without."""
        raise NotImplementedError(f"{table.name} has its key: this target makes none without")

    @abstractmethod
    def last(self) -> Checkpoint | None:
        """The checkpoint the target itself holds for this split, with the rows that were `refused` by the flush which
        made it; None where the target cannot hold one."""

    @abstractmethod
    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        """Make all rows written so far durable, with the checkpoint in the same transaction where the target has them.

        Returns the rows that the target refused; those of `checkpoint.refused` could not even be read. After an
        exception nothing is promised: the run starts again from the last checkpoint. A checkpoint with an older epoch
        than the target has seen raises Fenced.
        """

    def close(self) -> None:
        """Let go; rows not flushed are dropped. May be called twice."""
        return None


class Writer(ABC):
    """Writes into one target."""

    formats: ClassVar[tuple[str, ...]] = ()
    """Encodings it takes besides Arrow, the fastest first."""

    adds_only: ClassVar[bool] = False
    """Whether it takes no updates and deletes: rows it refused are then written as they were kept."""

    shared: ClassVar[bool] = False
    """Whether several processes may open sinks for the parts of one load, though only one of them has called `prepare`.
    Then the sinks keep checkpoints, and a flush refuses whatever is not the next step from the checkpoint that the
    sink found or made last: where two have read the same part from the same place, one of them counts."""

    @property
    def appends(self) -> bool:
        """Whether a row that is written twice is there twice."""
        return self.adds_only

    @property
    def writers(self) -> int:
        """How many sinks a stream is to have: more than one only where its sinks keep checkpoints, know `parting`, and
        take L and M, the halves of an update whose rows went to different sinks (`native.rows.part`)."""
        return 1

    @abstractmethod
    def check(self) -> list[str]:
        """Raise BadConfig or Unreachable, with the remedy, if writing cannot work. Returns warnings."""

    def guard(self, held: Callable[[], None]) -> None:
        """`held` raises Fenced where another run of the task may have begun. A target that does not tell runs apart by
        itself asks it before each request that writes; one that keeps checkpoints need not."""
        del held

    def dismiss(self, helpers: Set[str]) -> None:
        """End what earlier runs of this task still have open in the target, and workers that help with this one, but
        for those in `helpers` (their seats). They count no more, and one that stands still with rows in its hands would
        keep others from the table. Nothing where the target cannot do that."""
        del helpers

    @abstractmethod
    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        """Make or verify the target of each table. Called before the first `open`, and again on every run. Misfit tells
        of one that is there and differs; `lenient`: as far as a run can live with that, it is taken as it is."""

    def prepare_load(
        self, tables: Sequence[Table], lenient: bool = False, small: Set[str] = frozenset()
    ) -> Sequence[Table]:
        """As `prepare`, for tables that may be loaded first: those that are returned were made without their key, as
        that is faster, and get it by `Sink.keyed`. Until then rows are only added to them. `small`: the names of those
        that have so few rows that it is not."""
        self.prepare(tables, lenient)
        return ()

    def foresee(self, table: Table) -> Outlook:
        """What `prepare` would find of this table of the target, or make; nothing is changed. BadConfig where it could
        not even be looked at."""
        raise BadConfig(f"What becomes of {table.name} cannot be told before a run.")

    def missing(self, tables: Sequence[Table]) -> list[Table]:
        """Those whose target is not there; none where that cannot be told. Asked before `prepare`, which makes them."""
        del tables
        return []

    def filled(self, tables: Sequence[Table]) -> list[Table]:
        """Those whose target holds rows and no key by which they could be told from others; none where that cannot be
        told, or rows are only appended. Asked before a load of them begins."""
        del tables
        return []

    @abstractmethod
    def open(self, split: Split) -> Sink:
        """A sink for one split."""

    def traits(self, table: Table) -> Mapping[str, Trait]:
        """As of a reader; a column of `table` that is not there, or is not written, is left out."""
        raise BadConfig(f"{table.name} cannot be compared: its target is no database that computes checksums.")

    def inspect(self, table: Table, method: Method) -> Inspection:
        """As of a reader. Nothing is written."""
        raise BadConfig(f"{table.name} cannot be compared: its target is no database that computes checksums.")

    def place(self, table: Table) -> str:
        """The name under which the target keeps the table: that of its refused rows."""
        return table.name

    def dataset(self, table: Table) -> Dataset | None:
        """As of a reader."""
        del table
        return None

    def held(self, split: Split) -> Position | None:
        """How far the target itself is with a split now; None where it does not keep that, or where the sinks of a
        stream are not at one place just now: then the store's place is one that they all have passed."""
        del split
        return None

    def ended(self, among: Sequence[str] | None = None) -> Set[str] | None:
        """The splits of this task, or of those `among` them, of which the target itself holds that they were written to
        their end; None where it does not keep that. Asked after `prepare`."""
        del among
        return None

    def finish(self) -> None:
        """All splits are done and flushed (never called for an endless task)."""
        return None

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        return None


@dataclass(frozen=True, slots=True)
class Site:
    """Where a step works: its `parameter` object as written, and the content of the data sources it names.

    `owner` is the task's (`Task.owner`): what a target that keeps checkpoints keeps them under. `without`: tables that
    are selected and yet left alone. `dirty`: how many refused rows the task allows (None: any number); a writer that is
    far beyond need not look for more. `epoch`, `seat`: of the run, and of who helps with it (`Task`).
    """

    parameter: Mapping[str, Any]
    sources: Mapping[str, Mapping[str, Any]]
    owner: str = ""
    without: frozenset[str] = frozenset()
    dirty: int | None = None
    epoch: int = 0
    seat: str = ""


Named = tuple[str, str]
"""(database, table), as in a catalog."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database, project or namespace of a data source, and the names of its tables (GetDataSourceMeta)."""

    name: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """The type of a target's column, as a tableRule's `dataColumn` has it. `size` in characters or digits, `digits`
    behind the point; 0 where there is no such limit."""

    type: str
    size: int = 0
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Connector:
    """One per stepType; the module `disync.connectors.<name>` exports it as CONNECTOR.

    `reader_parameters` and `writer_parameters` are msgspec Structs of the step's `parameter` object: they validate it,
    list its members for the docs, and whatever they do not know is reported as a warning. `content` is the Struct of
    the data source's Content. None where the connector cannot read, cannot write, or needs no data source.
    `compares`: whether its tables can be compared with those of another such system (`traits`, `inspect`).
    `probe` connects once (at most 2 s) and raises Unreachable or BadConfig; `catalog` lists databases and tables.
    `precheck` is what `Reader.check` finds out, for a task that is being deployed; None: only a run finds out.
    `named`: (database or "", table) of those that the parameter of a reader step names one by one.
    `declared` is the column that a table made in the target has for a column of the source.
    `measures` tells of some of the catalog's tables, each (database, table), in a fixed number of questions.
    `create` makes a table by one CREATE TABLE statement, which is held to be no more than that, and returns its name.
    """

    name: str
    content: type[msgspec.Struct] | None
    reader_parameters: type[msgspec.Struct] | None
    writer_parameters: type[msgspec.Struct] | None
    reader: Callable[[Site], Reader] | None
    writer: Callable[[Site], Writer] | None
    compares: bool = False
    probe: Callable[[Mapping[str, Any]], None] | None = None
    catalog: Callable[[Mapping[str, Any]], list[Database]] | None = None
    precheck: Callable[[Site], list[str]] | None = None
    named: Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]] | None = None
    declared: Callable[[Column], Declared] | None = None
    measures: Callable[[Mapping[str, Any], Sequence[Named]], Mapping[Named, Measured]] | None = None
    create: Callable[[Mapping[str, Any], str], str] | None = None
