"""`disync user`: who may call, and where."""

from __future__ import annotations

from pathlib import Path

import click

from disync.cli.common import HOME, LOCAL, perform, services_of
from disync.operations.members import CODES
from disync.operations.parameters import Payload
from disync.services.access import Place, Role
from disync.services.keys import lookup_of


@click.group()
def user() -> None:
    """Users, their access keys and their workspaces (on the machine that holds the state)."""


@user.command("add")
@click.argument("user_id")
@click.option("--name", default="")
@HOME
def add_user(user_id: str, name: str, home: Path | None) -> None:
    """Make a user and an access key for it, printed this once."""
    services = services_of(home)
    perform(services, "CreateUser", UserId=user_id, Name=name)
    _print_key(perform(services, "CreateAccessKey", UserId=user_id)["Data"])


@user.command("list")
@HOME
def list_users(home: Path | None) -> None:
    """List users and the hints of their keys."""
    services = services_of(home)
    keys = services.keys.list_keys()
    for row in services.keys.list_users():
        hints = [key["hint"] + ("" if key["active"] else " (off)") for key in keys if key["user_id"] == row["id"]]
        click.echo(f"{row['id']:24} {row['name']:24} {'root' if row['root'] else '':5} {', '.join(hints)}")


@user.command("key")
@click.argument("user_id")
@HOME
def add_key(user_id: str, home: Path | None) -> None:
    """Make one more access key for a user, printed this once."""
    _print_key(perform(services_of(home), "CreateAccessKey", UserId=user_id)["Data"])


@user.command("disable")
@click.argument("access_key_id")
@HOME
def disable_key(access_key_id: str, home: Path | None) -> None:
    """Switch an access key off; a running server notices within a second."""
    perform(services_of(home), "UpdateAccessKey", KeyHash=lookup_of(access_key_id), Status="Inactive")


@user.command("join")
@click.argument("user_id")
@click.argument("project_id", type=int)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@HOME
def join(user_id: str, project_id: int, role: str, home: Path | None) -> None:
    """Make a user a member of a workspace, in a role."""
    services = services_of(home)
    members = {member["user_id"] for member in services.workspaces.members(LOCAL, Place(project_id))}
    action = "AddProjectMemberToRole" if user_id in members else "CreateProjectMember"
    perform(services, action, ProjectId=project_id, UserId=user_id, RoleCode=CODES[Role(role)])


def _print_key(key: Payload) -> None:
    click.echo(f"AccessKeyId      {key['AccessKeyId']}\nAccessKeySecret  {key['AccessKeySecret']}")
