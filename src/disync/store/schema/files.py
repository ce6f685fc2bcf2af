"""Files, where they lie, what is deployed of them, and what makes their text."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from disync.store.schema.shape import count, metadata, ms, row_id, text

FIRST_FILE = 1000001

business = Table(
    "business",
    metadata,
    row_id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    text("name"),
    text("description"),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    text("use_type", "NORMAL"),
    ms("created_ms"),
    UniqueConstraint("workspace_id", "name"),
)

folder = Table(
    "folder",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("parent", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("business_id", ForeignKey("business.id")),
    UniqueConstraint("workspace_id", "path"),
    Index("folder_parent", "workspace_id", "parent"),
)

# A row of a deleted file stays, so that its id is never a new file's. `solution_id`: the solution that made the file
# and owns it; `table_name`: the source's table that a batch node loads.
file = Table(
    "file",
    metadata,
    row_id(FIRST_FILE),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("file_type", BigInteger, nullable=False),
    Column("task_type", Text),
    text("name"),
    Column("folder_id", ForeignKey("folder.id"), nullable=False),
    Column("business_id", ForeignKey("business.id")),
    text("content"),
    Column("resource_group", Text),
    Column("cu", Float),
    Column("task_param", Text),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    Column("last_editor_id", ForeignKey("user.id"), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("commit_status", Integer, nullable=False, server_default="0"),
    ms("created_ms"),
    ms("edited_ms"),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("solution_id", BigInteger),
    Column("table_name", Text),
    Index("file_solution", "solution_id"),
    sqlite_autoincrement=True,
)
_live = ~file.c.deleted
Index("file_name", file.c.workspace_id, file.c.name, unique=True, sqlite_where=_live, postgresql_where=_live)

deployment = Table(
    "deployment",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    text("name"),
    text("content"),
    Column("resource_group", Text),
    Column("cu", Float),
    ms("deployed_ms"),
    Column("deployer_id", ForeignKey("user.id"), nullable=False),
)

# A file of type 24 whose `content` is the ProcessContent. `realtime_id` is its real-time task. `node_rule` and
# `node_group` are those of the text that is deployed. `flow_id`: the business flow that was made for it. Its status is
# computed, never stored: docs/decisions/2026-11-25-solutions.md.
solution = Table(
    "solution",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("realtime_id", ForeignKey("file.id"), nullable=False, unique=True),
    text("type"),
    text("source_type"),
    text("process_type", "new"),
    count("table_num"),
    Column("flow_id", BigInteger),
    text("node_rule"),
    Column("node_group", Text),
    Column("submitted_ms", BigInteger),
    Column("started_ms", BigInteger),
)

# A task's text that is made in the background. `state`: run, success or fail; while it runs, whoever works at it has it
# until `until_ms`, then another may take it up.
config_process = Table(
    "config_process",
    metadata,
    row_id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    text("task_type"),
    Column("task_id", BigInteger),
    text("param"),
    text("state", "run"),
    count("until_ms"),
    Column("message", Text),
    Column("content", Text),
    ms("created_ms"),
    sqlite_autoincrement=True,
)
