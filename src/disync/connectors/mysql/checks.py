"""What a server must be like before anything is read: each fault is named together with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping

from disync.connectors.mysql import schema, sql
from disync.connectors.mysql.config import Selection
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.schema import Name, Shape
from disync.model.errors import BadConfig

_VARIABLES = (
    *("log_bin", "binlog_format", "binlog_row_image", "binlog_row_value_options", "server_id"),
    *("binlog_expire_logs_seconds", "expire_logs_days"),
)

LEAST_RETENTION = 3600
TRANSACTIONAL = frozenset({"INNODB", "ROCKSDB", "NDB", "NDBCLUSTER", "TOKUDB"})


def check(session: Session, selection: Selection) -> list[str]:
    """Raise BadConfig with every fault found; returns warnings."""
    settings = {_text(row[0]).lower(): _text(row[1]) for row in session.query(sql.variables(_VARIABLES))}
    shapes = schema.read(session, selection)
    faults = [*_log_faults(settings), *_grant_faults(session), *_table_faults(shapes, selection)]
    if faults:
        raise BadConfig(" ".join(faults))
    return [*_warnings(settings), *_table_warnings(shapes)]


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


def _table_faults(shapes: Mapping[Name, Shape], selection: Selection) -> list[str]:
    faults = []
    for database, tables in selection.databases.items():
        there = {name for held, name in shapes if held == database}
        if missing := sorted(tables - there):
            faults.append(
                f"Database {database} has no table {', '.join(missing)} that this user may read: create it, grant "
                "SELECT on it, or correct the task."
            )
        if not tables and not there:
            faults.append(f"Database {database} has no table that this user may read: create one, or grant SELECT.")
    return faults


def _table_warnings(shapes: Mapping[Name, Shape]) -> list[str]:
    keyless = sorted(f"{database}.{name}" for (database, name), shape in shapes.items() if not shape.keys)
    loose = sorted(f"{d}.{n}" for (d, n), shape in shapes.items() if shape.engine.upper() not in TRANSACTIONAL)
    found = []
    if keyless:
        found.append(f"These tables have no key, so their rows can be appended but not replayed: {', '.join(keyless)}.")
    if loose:
        found.append(f"These tables are not transactional; a failed statement may leave rows: {', '.join(loose)}.")
    return found


def _warnings(settings: Mapping[str, str]) -> list[str]:
    seconds = int(float(settings.get("binlog_expire_logs_seconds", "0") or 0))
    days = float(settings.get("expire_logs_days", "0") or 0)
    kept = seconds or int(days * 86_400)
    if 0 < kept < LEAST_RETENTION:
        return [
            f"The server keeps its binary log for {kept} s only: a load or a pause that takes longer loses the "
            "position. Raise binlog_expire_logs_seconds."
        ]
    return []


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="replace")
