"""Settings: read once from the environment and the command line, then frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """`home` holds all state; `store_url` None means SQLite in it. `access_key_*`: the root key, None to make one."""

    home: Path
    store_url: str | None = None
    key_file: Path | None = None
    access_key_id: str | None = None
    access_key_secret: str | None = None

    @classmethod
    def read(cls, home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
        chosen = home or Path(environ.get("DISYNC_HOME") or "~/.disync")
        key_file = environ.get("DISYNC_KEY_FILE")
        return cls(
            home=chosen.expanduser().absolute(),
            store_url=environ.get("DISYNC_STORE_URL") or None,
            key_file=Path(key_file) if key_file else None,
            access_key_id=environ.get("DISYNC_ACCESS_KEY_ID") or None,
            access_key_secret=environ.get("DISYNC_ACCESS_KEY_SECRET") or None,
        )
