"""What a server must be like before anything is read: each fault is named together with its remedy.

Which server_id a task uses is not asked for: every connection takes a number of its own above 2^31 at random. Nor is
any zone: sessions read in UTC, and the log holds TIMESTAMPs as seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from disync.connectors.mysql import dialect, schema, sql
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.model.errors import BadConfig

_VARIABLES = (
    *("log_bin", "binlog_format", "binlog_row_image", "binlog_row_value_options", "server_id"),
    *("binlog_expire_logs_seconds", "expire_logs_days", "log_slave_updates", "log_replica_updates", "gtid_mode"),
)

LEAST_RETENTION = 3600
ROWS_A_SECOND, BYTES_A_SECOND = 100_000, 20_000_000
"""What a full load is expected to reach at least, to tell how long it takes."""
MOMENTS = (0.05, 0.2, 0.5)
"""Seconds after which a server is asked once more for tables that it does not name: while two change places, it may
name neither."""
MOST_DECLARATIONS = 1000
"""Tables whose foreign keys are looked at: one question each."""
_CASCADES = re.compile(r"^ *CONSTRAINT .* FOREIGN KEY .* ON (?:DELETE|UPDATE) (?:CASCADE|SET)\b", re.MULTILINE)
TRANSACTIONAL = frozenset({"INNODB", "ROCKSDB", "NDB", "NDBCLUSTER", "TOKUDB"})


def check(session: Session, selection: Selection) -> list[str]:
    """Raise BadConfig with every fault found; returns warnings."""
    settings = {_text(row[0]).lower(): _text(row[1]) for row in session.query(sql.variables(_VARIABLES))}
    shapes = schema.read(session, selection)
    for seconds in MOMENTS:
        if not _table_faults(shapes, selection)[0]:
            break
        time.sleep(seconds)
        shapes = schema.read(session, selection)
    faults = [*_version_faults(session), *_log_faults(settings)]
    faults += _grant_faults(session)
    lacking, missing = _table_faults(shapes, selection)
    if versioned := _versioned(session, selection, shapes):
        lacking.append(
            f"{', '.join('.'.join(place) for place in versioned)}: WITH SYSTEM VERSIONING the log holds the history of "
            "the rows among the rows. Leave such tables out of the task."
        )
        missing |= {selection.name(*place) for place in versioned}
    if faults or lacking:
        raise BadConfig(" ".join([*faults, *lacking]), () if faults else missing)
    expected = _load_seconds(session, selection, shapes)
    found = [*_warnings(settings, expected), *_group_warnings(session, settings), *_table_warnings(shapes)]
    return found + _cascade_warnings(session, shapes)


def _version_faults(session: Session) -> list[str]:
    name, version, least = dialect.version(session)
    if version >= least:
        return []
    least_text = ".".join(map(str, least))
    return [f"The server is {name} {'.'.join(map(str, version))}; {least_text} or later is served: upgrade it."]


def _load_seconds(session: Session, selection: Selection, shapes: Mapping[Name, Shape]) -> float:
    """How long the full load may take, by the server's own estimate of its tables."""
    seconds = 0.0
    databases = schema.databases(session, selection)
    for row in session.query(sql.sizes_of(databases)):
        if (_text(row[0]), _text(row[1])) in shapes:
            seconds += max(int(row[2] or 0) / ROWS_A_SECOND, int(row[3] or 0) / BYTES_A_SECOND)
    return seconds


def _log_faults(settings: Mapping[str, str]) -> list[str]:
    if settings.get("log_bin", "OFF").upper() not in ("ON", "1"):
        return ["The server writes no binary log: start it with log_bin (log-bin=mysql-bin) and a server_id."]
    faults = []
    if settings.get("binlog_format", "ROW").upper() != "ROW":
        faults.append(
            f"binlog_format is {settings['binlog_format']}: rows are only in the log with ROW. "
            "Run SET GLOBAL binlog_format = 'ROW', put it into the server's configuration, and reconnect all clients."
        )
    if settings.get("binlog_row_image", "FULL").upper() not in ("FULL", "FULL_NODUP"):
        faults.append(
            f"binlog_row_image is {settings['binlog_row_image']}: updates must hold whole rows. "
            "Run SET GLOBAL binlog_row_image = 'FULL' and put it into the server's configuration."
        )
    if settings.get("binlog_row_image", "FULL").upper() == "FULL_NODUP":
        faults.append("binlog_row_image is FULL_NODUP, which is not served: set it to FULL.")
    if "PARTIAL_JSON" in settings.get("binlog_row_value_options", "").upper():
        faults.append("binlog_row_value_options is PARTIAL_JSON: run SET GLOBAL binlog_row_value_options = ''.")
    if settings.get("server_id", "1") == "0":
        faults.append("server_id is 0, and such a server serves no log: set it to another number.")
    return faults


def _grant_faults(session: Session) -> list[str]:
    """The rights to follow the log. SELECT is not looked for here: a table that cannot be read is not seen."""
    lines = [_text(row[0]).upper() for row in session.query("SHOW GRANTS")]
    granted = " ".join(lines)
    if re.search(r"\bALL PRIVILEGES ON \*\.\*", granted) or any(" ON " not in line for line in lines):
        return []  # a role may hold rights that are not spelled out here: then the server itself is the judge
    slave = re.search(r"REPLICATION (SLAVE|REPLICA)\b(?! ADMIN)", granted)
    client = re.search(r"REPLICATION CLIENT|BINLOG MONITOR|\bSUPER\b", granted)
    missing = [name for name, found in (("REPLICATION SLAVE", slave), ("REPLICATION CLIENT", client)) if not found]
    user = session.address.user
    return [f"The user {user} lacks rights: run GRANT {', '.join(missing)} ON *.* TO {user}."] if missing else []


def _table_faults(shapes: Mapping[Name, Shape], selection: Selection) -> tuple[list[str], set[str]]:
    """What is wrong, and the names of the tables that are missed."""
    faults: list[str] = []
    names: set[str] = set()
    for database, tables in selection.databases.items():
        there = {name for held, name in shapes if held == database}
        if missing := sorted(t for t in tables - there if selection.name(database, t) not in selection.without):
            names |= {selection.name(database, table) for table in missing}
            faults.append(
                f"Database {database} has no table {', '.join(missing)} that this user may read: create it, grant "
                "SELECT on it, or correct the task."
            )
        if not tables and not there:
            faults.append(f"Database {database} has no table that this user may read: create one, or grant SELECT.")
    return faults, names


def _table_warnings(shapes: Mapping[Name, Shape]) -> list[str]:
    keyless = sorted(f"{database}.{name}" for (database, name), shape in shapes.items() if not shape.keys)
    loose = sorted(f"{d}.{n}" for (d, n), shape in shapes.items() if shape.engine.upper() not in TRANSACTIONAL)
    found = []
    if keyless:
        found.append(
            f"These tables have no key, so their rows can be appended but not replayed: {', '.join(keyless)}. Give "
            "them a primary key, leave them out, or set writeMode to insert."
        )
    if loose:
        found.append(f"These tables are not transactional; a failed statement may leave rows: {', '.join(loose)}.")
    return found


def _versioned(session: Session, selection: Selection, shapes: Mapping[Name, Shape]) -> list[Name]:
    databases = schema.databases(session, selection)
    rows = session.query(sql.versioned_of(databases)) if databases else []
    return [place for row in rows if (place := (_text(row[0]), _text(row[1]))) in shapes]


def _cascade_warnings(session: Session, shapes: Mapping[Name, Shape]) -> list[str]:
    """InnoDB does what a foreign key says on its own, and writes nothing of it into the log."""
    found = []
    for place, shape in list(shapes.items())[:MOST_DECLARATIONS]:
        if shape.engine.upper() == "INNODB":
            try:
                rows = session.query(sql.declaration(*place))
            except BadConfig:
                continue  # it has gone, or has another name, since it was listed: a warning is worth no stop
            found += [".".join(place)] if rows and _CASCADES.search(_text(rows[0][1])) else []
    if not found:
        return []
    return [
        "Foreign keys delete or change rows of these tables (ON DELETE or ON UPDATE, CASCADE or SET NULL), and the log "
        f"does not tell which: {', '.join(found)}. Such rows stay as they are in the target until they are verified "
        "and repaired; let the application change them itself."
    ]


def _warnings(settings: Mapping[str, str], expected: float) -> list[str]:
    seconds = int(float(settings.get("binlog_expire_logs_seconds", "0") or 0))
    days = float(settings.get("expire_logs_days", "0") or 0)
    kept = seconds or int(days * 86_400)
    if 0 < kept < LEAST_RETENTION:
        return [
            f"The server keeps its binary log for {kept} s only: a load or a pause that takes longer loses the "
            "position. Raise binlog_expire_logs_seconds."
        ]
    if 0 < kept < 2 * expected:
        return [
            f"The server keeps its binary log for {kept} s, and loading the tables may take {expected:.0f} s (at "
            f"{ROWS_A_SECOND} rows or {BYTES_A_SECOND // 1_000_000} MB a second): changes made meanwhile could be "
            "purged before they are read. Raise binlog_expire_logs_seconds, or load in several tasks."
        ]
    return []


def _group_warnings(session: Session, settings: Mapping[str, str]) -> list[str]:
    found = []
    logs_all = settings.get("log_slave_updates", settings.get("log_replica_updates", "ON"))
    if logs_all.upper() in ("OFF", "0") and dialect.repeats(session):
        found.append(
            "log_slave_updates (log_replica_updates) is OFF: what this server gets from another one is not in its log "
            "and would be missed. Read from the primary, or switch it on."
        )
    if settings.get("gtid_mode", "ON").upper() != "ON":
        found.append(
            f"gtid_mode is {settings['gtid_mode']}: a failover to another server cannot be followed. Set it to ON."
        )
    return found


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="replace")
