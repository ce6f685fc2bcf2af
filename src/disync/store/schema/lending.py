"""Parts of a full load that other workers read for the run that has the task."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from disync.store.schema.shape import count, metadata, text

# A run that wants help. `seats`: how many parts others may read at once; 0: nobody takes a seat any more.
# `mark`: of its task, and of its tables as it knows them; who has others must not help.
lending = Table(
    "lending",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seats", Integer, nullable=False),
    text("mark"),
)

# Who helps it: each seat reads one part at a time, and is its worker's for as long as a lease is.
seat = Table(
    "seat",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("seat", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    text("worker"),
    count("lease_until_ms"),
)
Index("seat_worker", seat.c.worker)

# The parts that a seat has been given. `back`: what became of one, as `engine.lending.Back`; "" while it is lent.
lent = Table(
    "lent",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("split", Text, primary_key=True),
    text("seat"),
    text("back"),
    text("reason"),
)
