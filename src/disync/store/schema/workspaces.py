"""Workspaces, who belongs to them, and what their tasks are given."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from disync.store.schema.shape import metadata, ms, row_id, text

FIRST_WORKSPACE = 10000

workspace = Table(
    "workspace",
    metadata,
    row_id(FIRST_WORKSPACE),
    Column("identifier", Text, nullable=False, unique=True),
    text("name"),
    text("description"),
    Column("mode", BigInteger, nullable=False, server_default="2"),
    Column("download", Boolean, nullable=False, server_default=true()),
    Column("development", Boolean, nullable=False, server_default=true()),
    text("tags", "[]"),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    ms("created_ms"),
    ms("modified_ms"),
    sqlite_autoincrement=True,
)

member = Table(
    "member",
    metadata,
    Column("workspace_id", ForeignKey("workspace.id"), primary_key=True),
    Column("user_id", ForeignKey("user.id"), primary_key=True),
    Column("role", Text, nullable=False),
)

data_source = Table(
    "data_source",
    metadata,
    row_id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("sub_type", Text),
    Column("env", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    text("description"),
    Column("creator_id", ForeignKey("user.id"), nullable=False),
    Column("editor_id", ForeignKey("user.id"), nullable=False),
    ms("created_ms"),
    ms("modified_ms"),
    UniqueConstraint("workspace_id", "name", "env"),
    sqlite_autoincrement=True,
)

# `type`: 4 is data integration, as in ListResourceGroups.
# `seen_ms`: when a cluster last told of the group, and with it how many nodes it has, and what these have in all. NULL:
# none ever did.
resource_group = Table(
    "resource_group",
    metadata,
    row_id(),
    Column("identifier", Text, nullable=False, unique=True),
    text("name"),
    Column("type", BigInteger, nullable=False, server_default="4"),
    ms("created_ms"),
    Column("nodes", Integer),
    Column("cpus", Float),
    Column("memory_bytes", BigInteger),
    Column("seen_ms", BigInteger),
    text("tags", "[]"),
)

# `config`: JSON text, DDL kind → policy. `source` "": for every kind of source.
project_config = Table(
    "project_config",
    metadata,
    Column("workspace_id", ForeignKey("workspace.id"), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    text("config", "{}"),
)
