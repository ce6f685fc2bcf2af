"""What MySQL and MariaDB do differently."""

from __future__ import annotations

import re
import struct

from disync.connectors.mysql import sql
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.gtid import Gtids, MariaGtids, MySQLGtids
from disync.connectors.mysql.metadata import Charset, Words
from disync.model.compare import Hash
from disync.model.errors import BadConfig

Command = tuple[int, bytes]
"""A command of the protocol: its code and what follows it."""

DUMP, DUMP_GTID = 0x12, 0x1E
_THROUGH_GTID = 0x04


def is_maria(session: Session) -> bool:
    return "mariadb" in session.server_version.lower()


def version(session: Session) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """(the dialect's name, the server's version, the least that is served)"""
    name, least = ("MariaDB", (10, 6)) if is_maria(session) else ("MySQL", (5, 7))
    # MariaDB calls itself 5.5.5-10.6 to old replicas.
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)", session.server_version)
    return name, (int(found[1]), int(found[2])) if found else least, least


def identity(session: Session) -> str:
    """What tells a server from all others. MariaDB has no UUID; its server_id and the log's beginning must do."""
    if is_maria(session):
        return f"id-{session.value('SELECT @@global.server_id')}"
    return session.value("SELECT @@global.server_uuid") or "unknown"


def newest(session: Session) -> tuple[str, int, str]:
    """(file, offset, GTIDs) of the end of the log, which is always the end of a transaction."""
    file, at, gtids = end(session)
    if is_maria(session):
        return file, at, session.value(f"SELECT BINLOG_GTID_POS({sql.text(file)}, {at})") or ""
    return file, at, gtids


def end(session: Session) -> tuple[str, int, str]:
    """As `newest`, without a look into the file: MariaDB does not tell the GTIDs so."""
    rows = session.query(_status(session))
    if not rows or rows[0][0] is None or rows[0][1] is None:
        raise BadConfig("The server writes no binary log: start it with log_bin and a server_id.")
    gtids = rows[0][4] if len(rows[0]) > 4 else None
    return rows[0][0].decode(), int(rows[0][1]), "".join((gtids or b"").decode().split())


def folds(session: Session) -> bool:
    """Whether names of databases and tables are kept in lower case, however they were written."""
    return session.value(sql.FOLDED) == "1"


def words(session: Session) -> Words:
    """MariaDB's newer collations are of several character sets, and have their numbers in another view."""
    maria = is_maria(session)
    many = maria and version(session)[1] >= (10, 10)
    rows = session.query(sql.collations("COLLATION_CHARACTER_SET_APPLICABILITY" if many else "COLLATIONS"))
    return Words({int(row[0] or 0): Charset((row[1] or b"").decode(), int(row[2] or 1)) for row in rows}, maria)


def gtids(session: Session, text: str) -> Gtids:
    return MariaGtids(text) if is_maria(session) else MySQLGtids(text)


def dump(number: int, file: str, at: int) -> Command:
    """Asks for the log from a place on, under the number of a replica."""
    return DUMP, struct.pack("<IHI", at, 0, number) + file.encode()


def dump_without(session: Session, number: int, gtids: Gtids) -> Command:
    """Asks for all transactions that are not among `gtids`; the server finds out where they begin, and leaves the
    others out wherever they lie."""
    if isinstance(gtids, MySQLGtids):
        data = gtids.encoded()
        return DUMP_GTID, struct.pack("<HIIQI", _THROUGH_GTID, number, 0, 4, len(data)) + data
    session.query(
        f"SET @slave_connect_state = {sql.text(gtids.bare)}, @slave_gtid_strict_mode = 1, "
        "@slave_gtid_ignore_duplicates = 0"
    )
    return dump(number, "", 4)


def repeats(session: Session) -> bool:
    """Whether the server has transactions of another one, so that it may get more of them."""
    if is_maria(session):
        return bool(session.value("SELECT @@global.gtid_slave_pos"))
    modern = version(session)[1] >= (8, 1)
    return bool(session.query("SHOW REPLICA STATUS" if modern else "SHOW SLAVE STATUS"))


def hash_of(session: Session) -> Hash:
    """MySQL 9.6 and later know MD5 only where a component is installed."""
    name, number, _ = version(session)
    return Hash.SHA256 if name == "MySQL" and number >= (9, 6) else Hash.MD5


def _status(session: Session) -> str:
    name, number, _ = version(session)
    return "SHOW BINARY LOG STATUS" if name == "MySQL" and number >= (8, 2) else "SHOW MASTER STATUS"
