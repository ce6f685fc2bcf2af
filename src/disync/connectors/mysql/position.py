"""Where to go on in a binary log, and whose log it was."""

from __future__ import annotations

import re
from dataclasses import dataclass

from disync.model.data import Position
from disync.model.errors import BadConfig, PositionGone

NOWHERE = "-"
"""The `server` of a place that only its GTIDs tell: its transactions do not lie one behind the other in any log."""

_WRITTEN = re.compile(
    r"(?P<file>[^\s:]+):(?P<at>[0-9]+) server=(?P<server>\S+) log=(?P<log>\S+) "
    r"schema=(?P<schema>\S+) gtid=(?P<gtid>\S*)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the last whole transaction.

    `server` is the server's identity. `log` says when the file was begun and by whom: a log that was reset, restored or
    copied begins its numbering anew, but not in the same second. `schema` is the fingerprint of the selected tables as
    they were when this place was current. `gtid` names the same place for another server of the same group.
    """

    file: str
    at: int
    server: str
    log: str
    schema: str
    gtid: str = ""

    def reaches(self, other: Place) -> bool:
        """Whether this is not before another place of the same log. Files are numbered, and numbers grow longer."""
        return (len(self.file), self.file, self.at) >= (len(other.file), other.file, other.at)


def write(place: Place) -> Position:
    return Position(
        f"{place.file}:{place.at} server={place.server} log={place.log} schema={place.schema} gtid={place.gtid}"
    )


def number(place: Place) -> int:
    """The number of the file: it may have more digits than the one before it."""
    digits = place.file.rpartition(".")[2]
    return int(digits) if digits.isdecimal() else 0


def gone(why: str) -> PositionGone:
    """The vendor's word for it, the reason, and what can be done."""
    return PositionGone(
        f"PositionNotFoundException: {why} Changes since then cannot be read. Either load the tables again (terminate "
        "the task, deploy it and start it), or start it at another position (startTime), without what lies between."
    )


def read(position: Position) -> Place:
    found = _WRITTEN.fullmatch(position)
    if found is None:
        raise BadConfig(f"The position {position!r} is none of a MySQL log. Start the task at a new position.")
    parts = found.groupdict()
    return Place(parts["file"], int(parts["at"]), parts["server"], parts["log"], parts["schema"], parts["gtid"])
