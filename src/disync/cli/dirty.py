"""`disync dirty`: the rows that a target refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from disync.cli.common import HOME, LOCAL, perform, services_of


@click.command("dirty")
@click.argument("file_id", type=int)
@click.option("--project-id", default=10000, show_default=True)
@click.option("--table", help="Of this table alone.")
@click.option("--replay", "wish", flag_value="replay", help="Write those that are still refused again.")
@click.option("--drop", "wish", flag_value="drop", help="Forget them; they count no more.")
@HOME
def dirty_rows(file_id: int, project_id: int, table: str | None, wish: str | None, home: Path | None) -> None:
    """List the rows of a task that its target refused; replay or forget them (on the machine that holds the state).

    A replay writes the rows as the source has them now. A running task restarts for it, which is no failover.
    """
    services = services_of(home)
    named = {"ProjectId": project_id, "FileId": file_id, **({"Table": table} if table else {})}
    if wish == "replay":
        asked = perform(services, "ReplayDISyncDirtyRows", **named)["Data"]
        when = (
            "the task restarts now and begins with them"
            if asked["Runs"]
            else "the task begins with them at its next start"
        )
        click.echo(f"Rows to be replayed: {asked['Rows']}; {when}.")
    elif wish == "drop":
        dropped = perform(services, "DropDISyncDirtyRows", **named)["Data"]
        click.echo(f"Rows forgotten: {dropped['Rows']}.")
    else:
        for row in services.refused_rows.of_task(LOCAL, project_id, file_id):
            if table is None or row.table_name == table or row.table_name.endswith(f".{table}"):
                _print_dirty(row)


def _print_dirty(row: Any) -> None:
    at = datetime.fromtimestamp(row.at_ms / 1000).isoformat(" ", "seconds")
    click.echo(f"{row.state:8}  {at}  {row.table_name}: {row.reason}")
    click.echo(f"    row       {row.row}{'' if row.whole else '  (cut)'}")
    click.echo(f"    position  {row.position}")
