"""The command line. Exit code 0: done, 1: failed, 2: bad input."""

from __future__ import annotations

import click

from disync import __version__
from disync.cli import calling, demo, dirty, foreground, groups, serving, users, verify
from disync.command import carry_out


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="disync")
def cli() -> None:
    """A self-hosted Data Integration service that answers to the DataWorks OpenAPI (2020-05-18)."""


for command in (
    *(serving.serve, serving.worker, serving.datahub, demo.run_demo, calling.call, foreground.run),
    *(foreground.connectors, users.user, groups.group, dirty.dirty_rows, verify.verify),
    *(serving.keep_on_ray, serving.verification, serving.host_datahub),
):
    cli.add_command(command)


def main() -> None:
    carry_out(cli)
