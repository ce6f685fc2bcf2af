"""What an error of the store's drivers means for whoever has asked: it is not theirs, and it says what to do."""

from __future__ import annotations

import errno
import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, TimeoutError

from disync.model.errors import ApiError, InternalError, StoreUnavailable

FULL = "The store is full. Make room on its disk and ask again."
LOCKED = "Another process holds the store locked. Ask again; if it stays so, end that process."
READ_ONLY = "The store can only be read. Make its disk, or its database, writable and ask again."
BROKEN = "The store's disk fails. Look at the server's log and at the disk, and ask again."
AWAY = "The store does not answer. Look whether its database server is up, and ask again."

_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: BROKEN,
    sqlite3.SQLITE_CANTOPEN: BROKEN,
}
_POSTGRES = {"53100": FULL, "53200": FULL, "55P03": LOCKED, "40P01": LOCKED, "25006": READ_ONLY, "58030": BROKEN}
_SYSTEM = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: READ_ONLY, errno.EIO: BROKEN}


def reason(error: BaseException) -> str | None:
    """Why the store could not do what was asked; None for an error that is not its disk's, its server's or a lock's."""
    match error:
        case DBAPIError():
            return reason(error.orig) if error.orig is not None else None
        case TimeoutError():
            return LOCKED
        case sqlite3.Error():
            return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the rest says more of the same
        case psycopg.Error():
            away = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] in ("08", "53", "57")
            return _POSTGRES.get(error.sqlstate or "") or (AWAY if away else None)
        case OSError():
            return _SYSTEM.get(error.errno or 0)
    return None


def fault(error: Exception) -> ApiError:
    """What an error that no operation expects is answered with."""
    if isinstance(error, ApiError):
        return error
    why = reason(error)
    return StoreUnavailable(why) if why else InternalError()
