"""`disync verify`: source and target, row by row."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from disync import report
from disync.cli.common import HOME, LOCAL, perform, services_of
from disync.model.errors import Refused
from disync.services import Services
from disync.services.audit import Write
from disync.services.pages import Slice
from disync.services.verification import Asked
from disync.services.verifications import outcome
from disync.services.verifications.outcome import State


@click.command("verify")
@click.argument("file_id", type=int)
@click.option("--project-id", default=10000, show_default=True)
@click.option("--table", "tables", multiple=True, help="Of the source's tables only this one; may be given again.")
@click.option("--repair", is_flag=True, help="Write what differs as the source has it now, and compare it again.")
@click.option("--most", default=10_000, show_default=True, type=click.IntRange(1), help="Differing rows of a table.")
@click.option("--wait", default=60.0, show_default=True, help="Seconds that the task may take to catch up.")
@click.option("--stop", is_flag=True, help="End the verification of this task that runs, wherever it was begun.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@HOME
def verify(file_id: int, project_id: int, home: Path | None, as_json: bool, **asked: Any) -> None:
    """Compare source and target of a real-time task or a solution, row by row (on the machine that holds the state).

    The task may run meanwhile: what is on its way is waited for. Exit code 0: equal, or mended; 1: there are
    differences, or a table could not be compared to its end; 2: bad input.
    """
    if asked["stop"]:
        _stop(services_of(home), project_id, file_id)
        return
    wish = Asked(asked["tables"], asked["repair"], asked["most"], asked["wait"])
    services = services_of(home)
    holder = f"{os.uname().nodename}-{os.getpid()}"
    named = {"ProjectId": project_id, "FileId": file_id, "Tables": list(wish.tables), "Repair": wish.repair}
    try:
        # As at the API, but that it is carried out here.
        with services.audit.writing(Write(LOCAL, "StartDISyncVerification", named)):
            begun = services.verifications.start(LOCAL, project_id, file_id, wish, holder)
        found = services.verifications.carry(begun, holder, report.progress())
    except Refused as error:
        raise click.UsageError(str(error)) from error
    click.echo(report.as_json(found) if as_json else report.as_text(found))
    if outcome.of(found).state not in (State.EQUAL, State.REPAIRED):
        sys.exit(1)


def _stop(services: Services, project_id: int, file_id: int) -> None:
    try:
        page, _ = services.verifications.list(LOCAL, project_id, file_id, Slice(1, 1))
        running = [seen.row.id for seen in page.entries if seen.state is State.RUN]
        if not running:
            raise Refused("No verification of this task runs: there is nothing to stop.")
        perform(services, "StopDISyncVerification", ProjectId=project_id, VerificationId=running[0])
    except Refused as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"Verification {running[0]} is stopped.")
