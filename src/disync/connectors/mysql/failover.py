"""A position in the log of another server: what was read of one is found in the log of the one that took its place.

Files and offsets differ between servers of a group, GTIDs do not. The other server's log is read from a file on that
begins at or before the position, until all transactions of the position have passed. If they all lie before the first
one that is new, the place between them is the position; if they are mixed (several domains, replicas that commit in an
order of their own) there is no such place, and the server is asked to leave out what is known.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from disync.connectors.mysql import dialect
from disync.connectors.mysql.binlog import gtids
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.gtid import Diverged, Gtids, Search
from disync.connectors.mysql.logs import Logs, Step
from disync.connectors.mysql.position import NOWHERE, Place, gone
from disync.connectors.mysql.stream import FIRST
from disync.model.errors import PositionGone, Unreachable


def find(session: Session, logs: Logs, place: Place) -> Place:
    """The same place in the log of the server of `session`; its `server` is NOWHERE where only GTIDs can tell it.

    Raises PositionGone where the server never will have what the position has, or has purged what comes behind it, and
    Unreachable where it may only be late. On a server that looks like the position's own, the last transactions must
    be there with their moments: one that has counted anew must not be believed.
    """
    server = dialect.identity(session)
    who = f"The position is one of server {place.server}, and this is server {server}"
    if not place.gtid:
        raise gone(f"{who}; without GTIDs (gtid_mode = ON) it is not known where that is in the log of another one.")
    goal = dialect.gtids(session, place.gtid)
    try:
        found, search = _found(session, logs, goal, place)
    except Diverged as error:
        raise gone(f"{who}: {error}") from error
    if not search.complete:
        raise _incomplete(who, search, dialect.repeats(session) and server != place.server)
    if server == place.server and not search.sure:
        raise gone(f"{who}, but its log does not hold the last transaction that was read, {goal}.")
    return found


def _found(session: Session, logs: Logs, goal: Gtids, place: Place) -> tuple[Place, Search]:
    file, at, _ = dialect.newest(session)
    files = logs.files()
    number = logs.newest_where(files, lambda head: goal.holds(head.gtids))
    if number < 0:
        raise Diverged(
            f"the log that it still has begins behind {goal}, or never had it. What is missing was purged, or the "
            "server is none of the same group."
        )
    head = logs.head(files[number])
    while number and goal.search(head.gtids).complete:  # the last transactions themselves are to be seen, too
        number -= 1
        head = logs.head(files[number])
    search = goal.search(head.gtids)
    first, aligned = None, True
    with closing(logs.walk(head.file, FIRST, (file, at), gtids.BEGINS)) as steps:
        for step in steps:
            if not _passes(search, step) and first is None:
                first, aligned = step, search.complete
            if first is not None and search.complete:
                break
    server = dialect.identity(session) if aligned else NOWHERE
    if first is None:
        return replace(place, file=file, at=at, log=logs.head(file).log, server=server), search
    return replace(place, file=first.file, at=first.at, log=first.log, server=server), search


def _passes(search: Search, step: Step) -> bool:
    gtid = gtids.of(step.event)
    if not gtid:
        raise Diverged(f"its log holds transactions without GTIDs ({step.file}:{step.at}). Set gtid_mode = ON.")
    return search.passes(gtid)


def _incomplete(who: str, search: Search, may_follow: bool) -> Unreachable | PositionGone:
    if may_follow and search.lags:
        return Unreachable(
            f"{who}, which does not have {search.missing} yet. A replica that is behind will get it. One that has "
            "taken over without it never will: then load the tables again."
        )
    return gone(f"{who}, whose log does not have {search.missing}: it is none of the same group, or has lost it.")
