"""The command line. Exit code 0: done, 1: failed, 2: bad input."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from disync import __version__, app, demo, foreground, report
from disync.connectors import KNOWN, find
from disync.datahub.server import serve as serve_datahub
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.model.errors import ApiError, DISyncError, Refused
from disync.services import Services
from disync.services.access import Caller, Place, Role
from disync.services.keys import NewKey
from disync.services.verification import Asked
from disync.settings import Settings

HOME = click.option("--home", type=click.Path(path_type=Path), help="Where all state is kept (default: DISYNC_HOME).")
LOCAL = Caller("root", "root", root=True)
"""Whoever can read the state of this machine may manage it."""
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
    app.configure_logging()
    settings = Settings.read(home)
    serve_datahub(host, port, settings.home / "datahub", dict([_key(settings)]).get)


@cli.command(hidden=True)
@HOME
@click.option("--parent", type=int, required=True)
def worker(home: Path | None, parent: int) -> None:
    """One worker process of `disync serve`."""
    app.configure_logging()
    app.work(Settings.read(home), parent)


@cli.command(hidden=True)
@HOST
@click.option("--port", type=int, required=True)
@HOME
@click.option("--parent", type=int, required=True)
def host_datahub(host: str, port: int, home: Path | None, parent: int) -> None:
    """The local DataHub of `disync serve`."""
    app.configure_logging()
    app.host_datahub(Settings.read(home), host, port, parent)


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("action")
@click.option("--endpoint", envvar="DISYNC_ENDPOINT", default="http://127.0.0.1:8080", show_default=True)
@click.pass_context
def call(context: click.Context, action: str, endpoint: str) -> None:
    """Sign and send one API call: disync call ACTION --Param value …

    The key is that of DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET. Prints the answer's JSON; exit code 1 where
    that says that what was asked could not be done.
    """
    operation = Spec.load().operations.get(action)
    if operation is None:
        raise click.UsageError(f"The API has no operation {action}.")
    known = [parameter.name for parameter in operation.parameters]
    parameters = _named(context.args)
    for name in parameters:
        if name not in known:
            raise click.UsageError(f"{action} has no parameter {name}; it has {', '.join(known)}.")
    client = Client(endpoint.rstrip("/"), *_key(Settings.read()))
    answer = client.call(operation, parameters)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    data = answer.get("Data")
    if answer.get("Success") is False or (isinstance(data, dict) and data.get("Status") == "fail"):
        sys.exit(1)


def _named(words: list[str]) -> dict[str, str]:
    """`--Name value` and `--Name=value`."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            raise click.UsageError(f"{word}: parameters are given as --Name value.")
        name, given, value = word[2:].partition("=")
        following = value if given else next(rest, None)
        if following is None:
            raise click.UsageError(f"--{name} has no value.")
        found[name] = following
    return found


def _key(settings: Settings) -> tuple[str, str]:
    if not (settings.access_key_id and settings.access_key_secret):
        raise click.UsageError("Set DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET: requests are signed with them.")
    return settings.access_key_id, settings.access_key_secret


@cli.command()
@click.argument("job", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", "sources", multiple=True, metavar="NAME=JSON", help="The Content of a data source it names.")
def run(job: Path, sources: tuple[str, ...]) -> None:
    """Run one job in the foreground, without a server, until it ends or Ctrl-C."""
    app.configure_logging()
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


@cli.command()
def connectors() -> None:
    """List the connectors and what each can do."""
    for name in KNOWN:
        connector = find(name)
        assert connector is not None
        can = [word for word, side in (("reads", connector.reader), ("writes", connector.writer)) if side is not None]
        click.echo(f"{name:12} {', '.join(can)}")


@cli.command("demo")
@click.option("--port", default=8080, show_default=True, help="Another is taken when this one is in use.")
@click.option("--datahub-port", default=8081, show_default=True)
@click.option("--home", type=click.Path(path_type=Path), help="Emptied at the start (default: demo in DISYNC_HOME).")
def run_demo(port: int, datahub_port: int, home: Path | None) -> None:
    """Run two tasks over real rows, compare both ends, and leave the servers running.

    DataHub to DataHub as in the API's own sample, and MySQL to Hologres with a MariaDB and a PostgreSQL of the demo's.
    """
    demo.run(home or Settings.read().home / "demo", port, datahub_port)


@cli.group()
def user() -> None:
    """Users, their access keys and their workspaces (on the machine that holds the state)."""


def _services(home: Path | None) -> Services:
    settings = Settings.read(home)
    if settings.store_url is None and not (settings.home / "disync.db").exists():
        raise click.UsageError(f"There is no state in {settings.home}: name its --home, or start `disync serve` first.")
    return app.open_home(settings)[1]


@user.command("add")
@click.argument("user_id")
@click.option("--name", default="")
@HOME
def add_user(user_id: str, name: str, home: Path | None) -> None:
    """Make a user and an access key for it, printed this once."""
    services = _services(home)
    services.keys.create_user(user_id, name)
    _print_key(services.keys.create_key(user_id))


@user.command("list")
@HOME
def list_users(home: Path | None) -> None:
    """List users and the hints of their keys."""
    services = _services(home)
    keys = services.keys.list_keys()
    for row in services.keys.list_users():
        hints = [key["hint"] + ("" if key["active"] else " (off)") for key in keys if key["user_id"] == row["id"]]
        click.echo(f"{row['id']:24} {row['name']:24} {'root' if row['root'] else '':5} {', '.join(hints)}")


@user.command("key")
@click.argument("user_id")
@HOME
def add_key(user_id: str, home: Path | None) -> None:
    """Make one more access key for a user, printed this once."""
    services = _services(home)
    _print_key(services.keys.create_key(user_id))


@user.command("disable")
@click.argument("access_key_id")
@HOME
def disable_key(access_key_id: str, home: Path | None) -> None:
    """Switch an access key off; a running server notices within a second."""
    services = _services(home)
    services.keys.disable_key(access_key_id)


@user.command("join")
@click.argument("user_id")
@click.argument("project_id", type=int)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@HOME
def join(user_id: str, project_id: int, role: str, home: Path | None) -> None:
    """Make a user a member of a workspace, in a role."""
    services = _services(home)
    services.workspaces.set_member(LOCAL, Place(project_id), user_id, Role(role))


@cli.command("dirty")
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
    rows = _services(home).refused_rows
    if wish == "replay":
        asked = rows.replay(LOCAL, project_id, file_id, table)
        when = (
            "the task restarts now and begins with them"
            if asked.runs
            else "the task begins with them at its next start"
        )
        click.echo(f"Rows to be replayed: {asked.rows}; {when}.")
    elif wish == "drop":
        click.echo(f"Rows forgotten: {rows.drop(LOCAL, project_id, file_id, table)}.")
    else:
        for row in rows.of_task(LOCAL, project_id, file_id):
            if table is None or row.table_name == table or row.table_name.endswith(f".{table}"):
                _print_dirty(row)


@cli.command("verify")
@click.argument("file_id", type=int)
@click.option("--project-id", default=10000, show_default=True)
@click.option("--table", "tables", multiple=True, help="Of the source's tables only this one; may be given again.")
@click.option("--repair", is_flag=True, help="Write what differs as the source has it now, and compare it again.")
@click.option("--most", default=10_000, show_default=True, type=click.IntRange(1), help="Differing rows of a table.")
@click.option("--wait", default=60.0, show_default=True, help="Seconds that the task may take to catch up.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@HOME
def verify(file_id: int, project_id: int, home: Path | None, as_json: bool, **asked: Any) -> None:
    """Compare source and target of a real-time task or a solution, row by row (on the machine that holds the state).

    The task may run meanwhile: what is on its way is waited for. Exit code 0: equal, or mended; 1: there are
    differences, or a table could not be compared to its end; 2: bad input.
    """
    wish = Asked(asked["tables"], asked["repair"], asked["most"], asked["wait"])
    try:
        found = _services(home).verification.verify(LOCAL, project_id, file_id, wish, report.progress())
    except Refused as error:
        raise click.UsageError(str(error)) from error
    click.echo(report.as_json(found) if as_json else report.as_text(found))
    if not (found.equal or (found.repair is not None and found.repair.mended)):
        sys.exit(1)


def _print_dirty(row: Any) -> None:
    at = datetime.fromtimestamp(row.at_ms / 1000).isoformat(" ", "seconds")
    click.echo(f"{row.state:8}  {at}  {row.table_name}: {row.reason}")
    click.echo(f"    row       {row.row}{'' if row.whole else '  (cut)'}")
    click.echo(f"    position  {row.position}")


def _print_key(key: NewKey) -> None:
    click.echo(f"AccessKeyId      {key.id}\nAccessKeySecret  {key.secret}")


def main() -> None:
    """Errors are one line that says what to do. What is written is for this user alone: it may be secret."""
    os.umask(0o077)
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(1)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except ApiError as error:
        _fail(f"HTTP {error.status} {error.code}: {error}", 1)
    except DISyncError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)
    except SQLAlchemyError as error:
        first = str(error).splitlines()[0]
        _fail(f"The store does not work: {first}. Look at DISYNC_STORE_URL and the home folder.", 1)


def _fail(message: str, code: int) -> Any:
    click.echo(f"disync: {message}", err=True)
    sys.exit(code)
