"""`disync call`: one signed request to a server, wherever it is."""

from __future__ import annotations

import json
import sys

import click

from disync.cli.common import key_of
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.settings import Settings


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
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
    client = Client(endpoint.rstrip("/"), *key_of(Settings.read()))
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
