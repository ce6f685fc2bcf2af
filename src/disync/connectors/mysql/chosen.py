"""A place in the log that a person has named: it has to lie between two transactions, and to be there still."""

from __future__ import annotations

import re
from contextlib import closing

from disync.connectors.mysql import dialect, failover, position
from disync.connectors.mysql.binlog import gtids
from disync.connectors.mysql.binlog.events import Kind
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.history import UNSETTLED
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.position import Place, gone
from disync.connectors.mysql.stream import FIRST
from disync.model.data import Position
from disync.model.errors import BadConfig, TaskError

_SHORT = re.compile(r"(?P<file>[^\s:]+\.[0-9]+):(?P<at>[0-9]{1,10})")

_MARIA_CHECKPOINT = 161
_BETWEEN = frozenset(
    (
        *(Kind.STOP, Kind.FORMAT_DESCRIPTION, Kind.PREVIOUS_GTIDS),
        *(Kind.MARIA_GTID_LIST, Kind.MARIA_START_ENCRYPTION, _MARIA_CHECKPOINT),
    )
)
"""Kinds that lie between transactions, where a file begins or ends."""


def find(session: Session, logs: Logs, text: str) -> Place:
    """`FILE:OFFSET`, or a whole position. Of one of this server the file and the offset count, and its GTIDs are read
    anew; of one of another server the GTIDs."""
    short = _SHORT.fullmatch(text.strip())
    place = None if short else _whole(text)
    server = dialect.identity(session)
    if place is not None and place.server != server:
        return failover.find(session, logs, place)
    file, at = (short["file"], int(short["at"])) if short else (place.file, place.at) if place else ("", 0)
    _require_there(session, logs, file, at)
    head = logs.head(file)
    if place is not None and place.log != head.log:
        raise gone(f"The binary log {file} is not the one of this position: it was begun anew (RESET, a restore).")
    _require_between(session, logs, file, at)
    known = dialect.gtids(session, head.gtids)
    with closing(logs.walk(file, FIRST, (file, at), gtids.BEGINS)) as steps:
        for step in steps:
            if gtid := gtids.of(step.event):
                known.add(gtid)
    return Place(file, at, server, head.log, UNSETTLED, str(known))


def _whole(text: str) -> Place:
    try:
        return position.read(Position(text.strip()))
    except BadConfig as error:
        raise BadConfig(
            f"{text[:200]!r} is no position of a MySQL log. Give FILE:OFFSET, such as mysql-bin.000042:1234, as SHOW "
            "BINLOG EVENTS lists them, or a whole position as it is shown for a task."
        ) from error


def _require_there(session: Session, logs: Logs, file: str, at: int) -> None:
    files, (newest, end, _) = logs.files(), dialect.newest(session)
    if file not in files:
        raise gone(f"The server has no binary log {file}; those that it has are {files[0]} to {files[-1]}.")
    if at < FIRST or (file == newest and at > end):
        raise BadConfig(f"{file}:{at} is outside of the log, which ends at {newest}:{end}.")


def _require_between(session: Session, logs: Logs, file: str, at: int) -> None:
    """What follows the place is the beginning of a transaction, or the end of the log."""
    newest, end, _ = dialect.newest(session)
    if (file, at) == (newest, end):
        return
    expected = at
    try:
        with closing(logs.walk(file, at, (newest, end))) as steps:
            for step in steps:
                if step.event.artificial:
                    continue
                if step.file == file and step.at != expected:
                    break
                if step.event.kind in gtids.BEGINS:
                    return
                if step.event.kind not in _BETWEEN:
                    break
                expected = step.at + step.event.size
            else:
                return
    except TaskError as error:
        raise BadConfig(f"{_inside(file, at)} {error}") from error
    raise BadConfig(_inside(file, at))


def _inside(file: str, at: int) -> str:
    return (
        f"{file}:{at} is not between two transactions: reading cannot be taken up there. Take an offset at which a "
        f"Gtid event begins, as SHOW BINLOG EVENTS IN '{file}' lists them."
    )
