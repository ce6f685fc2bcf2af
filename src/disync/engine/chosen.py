"""Positions that a person has set: the run that comes next takes them up, once.

A target that keeps its own checkpoint is believed before the store, so that no row is written twice: what was set has
to stand there before anybody looks. It is written over what earlier runs have left, under the epoch of this run, and
that tells every later one that it was done: a run that dies before it has set nothing, one that dies behind it need not
do it again, and what an earlier run still sends is fenced off.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from disync.engine.ledger import Ledger
from disync.engine.plan import Pipeline
from disync.engine.reunion import retire
from disync.model.data import Table
from disync.model.run import Checkpoint, Split, Tally, Task

log = structlog.get_logger()


def take_up(pipeline: Pipeline, task: Task, ledger: Ledger) -> None:
    for mark in ledger.checkpoints().values():
        if mark.chosen is not None:
            _take_up(pipeline, task, ledger, mark, mark.chosen)


def _take_up(pipeline: Pipeline, task: Task, ledger: Ledger, mark: Checkpoint, chosen: int) -> None:
    stream = Split(mark.split, Table(mark.split))
    sink = pipeline.writer.open(stream)
    try:
        held = sink.last()
        if held is None or held.epoch <= chosen:
            log.warning("a position was set", task=task.id, split=mark.split, position=mark.position)
            held = Checkpoint(mark.split, mark.position, task.epoch)
            retire(pipeline.writer, stream, sink, task.epoch)
            sink.flush(held)
        ledger.save(replace(held, epoch=task.epoch, refused=()), (), Tally())
    finally:
        sink.close()
