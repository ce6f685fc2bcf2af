"""`disync demo`."""

from __future__ import annotations

from pathlib import Path

import click

from disync import demo
from disync.settings import Settings


@click.command("demo")
@click.option("--port", default=8080, show_default=True, help="Another is taken when this one is in use.")
@click.option("--datahub-port", default=8081, show_default=True)
@click.option("--home", type=click.Path(path_type=Path), help="Emptied at the start (default: demo in DISYNC_HOME).")
def run_demo(port: int, datahub_port: int, home: Path | None) -> None:
    """Run tasks over real rows, compare both ends, and leave the servers running.

    DataHub to DataHub as in the API's own sample, and MySQL to Hologres with a MariaDB and a PostgreSQL of the demo's:
    a task, and the sample's solution.
    """
    demo.run(home or Settings.read().home / "demo", port, datahub_port)
