"""A place in a log by time: where a task begins that is started with `startTime`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from disync.connectors.mysql import dialect
from disync.connectors.mysql.binlog import gtids
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.history import UNSETTLED
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.position import Place, gone
from disync.connectors.mysql.stream import FIRST


def find(session: Session, logs: Logs, time_ms: int) -> Place:
    """Before the first transaction that was logged in this second or later, by the clocks of the servers that logged
    them; the end of the log if there is none. PositionGone if the log does not reach back so far."""
    second = time_ms // 1000
    file, at, _ = dialect.newest(session)
    files = logs.files()
    # What was logged in the second in which a file was begun may also lie in the file before it.
    number = logs.newest_where(files, lambda head: head.time < second)
    if number < 0:
        oldest = datetime.fromtimestamp(logs.head(files[0]).time, UTC)
        raise gone(f"The binary log that the server still has begins at {oldest:%Y-%m-%d %H:%M:%S} UTC.")
    head = logs.head(files[number])
    known, log = dialect.gtids(session, head.gtids), ""
    with closing(logs.walk(head.file, FIRST, (file, at), gtids.BEGINS)) as steps:
        for step in steps:
            if step.event.time >= second:
                file, at, log = step.file, step.at, step.log
                break
            if gtid := gtids.of(step.event):
                known.add(gtid)
    return Place(file, at, dialect.identity(session), log or logs.head(file).log, UNSETTLED, str(known))
