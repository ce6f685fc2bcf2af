"""`disync run`: one job in this process, its progress on the terminal, nothing remembered."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from disync.engine.carry import carry
from disync.engine.ledger import Notebook
from disync.engine.task import Run
from disync.model.job import parse, warnings
from disync.model.run import Limits, Task

PROGRESS_SECONDS = 1.0


class Alone:
    """Nobody else runs this job."""

    valid = True


def run(job: Path, sources: Mapping[str, Mapping[str, Any]]) -> None:
    """Run the job of a file to its end, or until SIGINT or SIGTERM. Raises what ended it."""
    code = job.read_text(encoding="utf-8")
    parsed = parse(code)
    for warning in warnings(parsed):
        click.echo(f"warning: {warning}", err=True)
    task = Task(0, job.stem, 1, code, sources, limits=Limits(dirty=parsed.setting.dirty))
    ledger = Notebook()
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(ledger, over), daemon=True)
    teller.start()
    try:
        carry(task, ledger, Alone(), _stopped_by_signals)
    finally:
        over.set()
        teller.join()


def _stopped_by_signals(run: Run) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: run.stop())


def _tell(ledger: Notebook, over: threading.Event) -> None:
    began, last = time.monotonic(), 0
    while not over.wait(PROGRESS_SECONDS):
        rate = (ledger.tally.rows_written - last) / PROGRESS_SECONDS
        last = ledger.tally.rows_written
        click.echo(f"{last:,} rows written, {rate:,.0f} rows/s, {ledger.tally.rows_dirty} dirty", err=True)
    seconds = time.monotonic() - began
    click.echo(f"{ledger.tally.rows_written:,} rows written in {seconds:.1f} s, {ledger.tally.rows_dirty} dirty")
