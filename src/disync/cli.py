"""The command line. Exit code 0: done, 1: failed, 2: bad input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from disync import __version__
from disync.model.errors import DISyncError
from disync.settings import Settings

HOME = click.option("--home", type=click.Path(path_type=Path), help="Where all state is kept (default: DISYNC_HOME).")
HOST = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="disync")
def cli() -> None:
    """A self-hosted Data Integration service that answers to the DataWorks OpenAPI (2020-05-18)."""


@cli.command()
@HOST
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@HOME
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--datahub-port", type=click.IntRange(0, 65535), help="Host a local DataHub on this port too.")
def serve(host: str, port: int, home: Path | None, workers: int, datahub_port: int | None) -> None:
    """Answer the API, and run tasks."""
    from disync import app

    app.configure_logging()
    app.serve(Settings.read(home), app.ServeOptions(host, port, workers, datahub_port))


@cli.command()
@HOST
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@HOME
def datahub(host: str, port: int, home: Path | None) -> None:
    """Serve the DataHub protocol, for machines that have no DataHub.

    It takes the access key of DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET.
    """
    from disync import app
    from disync.datahub.server import serve as serve_datahub

    app.configure_logging()
    settings = Settings.read(home)
    if not (settings.access_key_id and settings.access_key_secret):
        raise click.UsageError("Set DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET: requests are signed with them.")
    keys = {settings.access_key_id: settings.access_key_secret}
    serve_datahub(host, port, settings.home / "datahub", keys.get)


@cli.command(hidden=True)
@HOME
@click.option("--parent", type=int, required=True)
def worker(home: Path | None, parent: int) -> None:
    """One worker process of `disync serve`."""
    from disync import app

    app.configure_logging()
    app.work(Settings.read(home), parent)


@cli.command(hidden=True)
@HOST
@click.option("--port", type=int, required=True)
@HOME
@click.option("--parent", type=int, required=True)
def host_datahub(host: str, port: int, home: Path | None, parent: int) -> None:
    """The local DataHub of `disync serve`."""
    from disync import app

    app.configure_logging()
    app.host_datahub(Settings.read(home), host, port, parent)


def main() -> None:
    """Errors are one line that says what to do."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(1)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except DISyncError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)


def _fail(message: str, code: int) -> Any:
    click.echo(f"disync: {message}", err=True)
    sys.exit(code)
