"""Who calls, what proves it, and what they asked for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text, false, true

from disync.store.schema.shape import metadata, ms, nonces, row_id, text

user = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    text("name"),
    Column("root", Boolean, nullable=False, server_default=false()),
)

# `lookup` is the SHA-256 of the access key id; `hint` is what a list may show of it.
access_key = Table(
    "access_key",
    metadata,
    Column("lookup", Text, primary_key=True),
    text("hint"),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    ms("created_ms"),
)

# Who is signed in at the console. `token`: the SHA-256 of what the cookie holds. `key_id`: the access key's id, sealed.
session = Table(
    "session",
    metadata,
    Column("token", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    Column("lookup", ForeignKey("access_key.lookup"), nullable=False),
    Column("key_id", LargeBinary, nullable=False),
    ms("created_ms"),
    ms("seen_ms"),
    Index("session_key", "lookup", "created_ms"),
)

nonce = Table(
    "nonce",
    nonces,
    Column("token", LargeBinary, primary_key=True),
    ms("expires_ms"),
    Index("nonce_expires", "expires_ms"),
    sqlite_with_rowid=False,
)

client_token = Table(
    "client_token",
    metadata,
    Column("workspace_id", BigInteger, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    text("request"),
    text("result"),
    ms("created_ms"),
)

# Every write that was asked for, through whatever door. It outlives what it names, so it refers to no other table.
# `code` is "" while the operation runs, and stays so where the server died meanwhile.
audit = Table(
    "audit",
    metadata,
    row_id(),
    ms("at_ms"),
    text("user_id"),
    text("user_name"),
    text("door"),
    text("action"),
    Column("workspace_id", BigInteger),
    Column("file_id", BigInteger),
    text("parameters", "{}"),
    text("code"),
    text("message"),
    text("request_id"),
    Index("audit_at", "at_ms"),
    Index("audit_workspace", "workspace_id"),
    sqlite_autoincrement=True,
)
