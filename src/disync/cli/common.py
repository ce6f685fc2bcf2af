"""What the commands share: where the state is, and who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from disync.home import open_home
from disync.operations import bind
from disync.operations.parameters import Payload
from disync.services import Services
from disync.services.access import Caller
from disync.settings import Settings

HOME = click.option("--home", type=click.Path(path_type=Path), help="Where all state is kept (default: DISYNC_HOME).")
LOCAL = Caller("root", "root", root=True, door="cli")
"""Whoever can read the state of this machine may manage it."""


def services_of(home: Path | None) -> Services:
    settings = Settings.read(home)
    if settings.store_url is None and not (settings.home / "disync.db").exists():
        raise click.UsageError(f"There is no state in {settings.home}: name its --home, or start `disync serve` first.")
    return open_home(settings)[1]


def perform(services: Services, action: str, **parameters: Any) -> Payload:
    """As at the API, and recorded as there."""
    return bind(services)[action](LOCAL, parameters)


def key_of(settings: Settings) -> tuple[str, str]:
    if not (settings.access_key_id and settings.access_key_secret):
        raise click.UsageError("Set DISYNC_ACCESS_KEY_ID and DISYNC_ACCESS_KEY_SECRET: requests are signed with them.")
    return settings.access_key_id, settings.access_key_secret
