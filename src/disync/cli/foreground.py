"""What needs no server: one job in the foreground, and the list of what there is to run it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from disync import foreground
from disync.connectors import KNOWN, find
from disync.home import configure_logging


@click.command()
@click.argument("job", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", "sources", multiple=True, metavar="NAME=JSON", help="The Content of a data source it names.")
def run(job: Path, sources: tuple[str, ...]) -> None:
    """Run one job in the foreground, without a server, until it ends or Ctrl-C."""
    configure_logging()
    foreground.run(job, dict(_content(source) for source in sources))


def _content(source: str) -> tuple[str, dict[str, Any]]:
    name, _, text = source.partition("=")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--source {name}: give NAME=JSON, the data source's Content: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"--source {name}: Content is a JSON object.")
    return name, content


@click.command()
def connectors() -> None:
    """List the connectors and what each can do."""
    for name in KNOWN:
        connector = find(name)
        assert connector is not None
        can = [word for word, side in (("reads", connector.reader), ("writes", connector.writer)) if side is not None]
        click.echo(f"{name:12} {', '.join(can)}")
