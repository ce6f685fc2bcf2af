"""`disync group`: the resource groups that are known, and their tags."""

from __future__ import annotations

from pathlib import Path

import click

from disync.cli.common import HOME, perform, services_of


@click.group()
def group() -> None:
    """Resource groups (on the machine that holds the state)."""


@group.command("list")
@HOME
def list_groups(home: Path | None) -> None:
    """List the groups that workers have served, or that a cluster offers, with their tags."""
    for row in perform(services_of(home), "ListResourceGroups")["Data"]:
        tags = ", ".join(f"{tag['Key']}={tag.get('Value', '')}" for tag in row["Tags"])
        click.echo(f"{row['Identifier']:32} {'stopped' if row['Status'] else 'normal':8} {tags}".rstrip())


@group.command("tag")
@click.argument("identifier")
@click.argument("tags", nargs=-1, metavar="[KEY=VALUE]...")
@HOME
def tag_group(identifier: str, tags: tuple[str, ...], home: Path | None) -> None:
    """Give a group these tags instead of those that it has."""
    pairs = [tag.partition("=") for tag in tags]
    found = [{"Key": key, "Value": value} for key, _, value in pairs]
    perform(services_of(home), "TagResourceGroup", ResourceGroupIdentifier=identifier, Tags=found)
