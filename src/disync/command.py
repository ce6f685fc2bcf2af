"""How a command ends: well, or with one line on standard error that says what to do."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from disync.model.errors import ApiError, DISyncError


def carry_out(command: click.Command) -> None:
    """Run a command line. What it writes is for this user alone: it may be secret."""
    os.umask(0o077)
    try:
        command(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(1)
    except click.ClickException as error:
        fail(error.format_message(), 2)
    except ApiError as error:
        fail(f"HTTP {error.status} {error.code}: {error}", 1)
    except DISyncError as error:
        fail(str(error), 1)
    except OSError as error:
        fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)
    except SQLAlchemyError as error:
        first = str(error).splitlines()[0]
        fail(f"The store does not work: {first}. Look at DISYNC_STORE_URL and the home folder.", 1)


def fail(message: str, code: int) -> Any:
    click.echo(f"disync: {message}", err=True)
    sys.exit(code)
