"""Every table of the store. SQLite and PostgreSQL hold the same shape.

Numbers that a client may ask for by any 64-bit value are BigInteger, so that every question has an answer.
All ids stay below 2^53, so that clients whose numbers are doubles keep them exact. Times are milliseconds since 1970.
Secrets are sealed by the vault before they come here.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    true,
)

metadata = MetaData()
nonces = MetaData()
"""Apart from the others: only PostgreSQL has it. See Store.nonces."""

# SQLite only numbers rows by itself for a column of exactly this type.
Id = BigInteger().with_variant(Integer, "sqlite")

FIRST_WORKSPACE = 10000
FIRST_FILE = 1000001


def _id(start: int = 1) -> Column[int]:
    return Column("id", Id, Identity(start=start), primary_key=True)


def _ms(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


# One row: the name of this installation among all that may write into one target.
installation = Table("installation", metadata, Column("id", Text, primary_key=True))

user = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    Column("root", Boolean, nullable=False, server_default=false()),
)

# `lookup` is the SHA-256 of the access key id; `hint` is what a list may show of it.
access_key = Table(
    "access_key",
    metadata,
    Column("lookup", Text, primary_key=True),
    _text("hint"),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    _ms("created_ms"),
)

nonce = Table(
    "nonce",
    nonces,
    Column("token", LargeBinary, primary_key=True),
    _ms("expires_ms"),
    Index("nonce_expires", "expires_ms"),
    sqlite_with_rowid=False,
)

workspace = Table(
    "workspace",
    metadata,
    _id(FIRST_WORKSPACE),
    Column("identifier", Text, nullable=False, unique=True),
    _text("name"),
    _text("description"),
    Column("mode", BigInteger, nullable=False, server_default="2"),
    Column("download", Boolean, nullable=False, server_default=true()),
    Column("development", Boolean, nullable=False, server_default=true()),
    _text("tags", "[]"),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    _ms("created_ms"),
    _ms("modified_ms"),
    sqlite_autoincrement=True,
)

member = Table(
    "member",
    metadata,
    Column("workspace_id", ForeignKey("workspace.id"), primary_key=True),
    Column("user_id", ForeignKey("user.id"), primary_key=True),
    Column("role", Text, nullable=False),
)

# `type`: 4 is data integration, as in ListResourceGroups.
# `seen_ms`: when a cluster last told of the group, and with it how many nodes it has, and what these have in all. NULL:
# none ever did.
resource_group = Table(
    "resource_group",
    metadata,
    _id(),
    Column("identifier", Text, nullable=False, unique=True),
    _text("name"),
    Column("type", BigInteger, nullable=False, server_default="4"),
    _ms("created_ms"),
    Column("nodes", Integer),
    Column("cpus", Float),
    Column("memory_bytes", BigInteger),
    Column("seen_ms", BigInteger),
)

business = Table(
    "business",
    metadata,
    _id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    _text("name"),
    _text("description"),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    _text("use_type", "NORMAL"),
    _ms("created_ms"),
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
    _id(FIRST_FILE),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("file_type", BigInteger, nullable=False),
    Column("task_type", Text),
    _text("name"),
    Column("folder_id", ForeignKey("folder.id"), nullable=False),
    Column("business_id", ForeignKey("business.id")),
    _text("content"),
    Column("resource_group", Text),
    Column("cu", Float),
    Column("task_param", Text),
    Column("owner_id", ForeignKey("user.id"), nullable=False),
    Column("last_editor_id", ForeignKey("user.id"), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("commit_status", Integer, nullable=False, server_default="0"),
    _ms("created_ms"),
    _ms("edited_ms"),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("solution_id", BigInteger),
    Column("table_name", Text),
    Index("file_solution", "solution_id"),
    sqlite_autoincrement=True,
)
_live = ~file.c.deleted
Index("file_name", file.c.workspace_id, file.c.name, unique=True, sqlite_where=_live, postgresql_where=_live)

client_token = Table(
    "client_token",
    metadata,
    Column("workspace_id", BigInteger, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    _text("request"),
    _text("result"),
    _ms("created_ms"),
)

data_source = Table(
    "data_source",
    metadata,
    _id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("sub_type", Text),
    Column("env", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    _text("description"),
    Column("creator_id", ForeignKey("user.id"), nullable=False),
    Column("editor_id", ForeignKey("user.id"), nullable=False),
    _ms("created_ms"),
    _ms("modified_ms"),
    UniqueConstraint("workspace_id", "name", "env"),
    sqlite_autoincrement=True,
)

deployment = Table(
    "deployment",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    _text("name"),
    _text("content"),
    Column("resource_group", Text),
    Column("cu", Float),
    _ms("deployed_ms"),
    Column("deployer_id", ForeignKey("user.id"), nullable=False),
)

# `desired` is what the user asked for, RUN or STOP; `running` and the lease say what a worker does. `beginning` is
# another whenever the task begins anew, `replays` how often rows were asked to be replayed. The run of the epoch
# `recalled` is to end, so that the next one begins.
instance = Table(
    "instance",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    _text("desired", "STOP"),
    Column("start_at", Text),
    Column("start_time_ms", BigInteger),
    Column("failover_count", Integer),
    Column("failover_minutes", Integer),
    Column("dirty_limit", BigInteger),
    Column("ddl", Text),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("beginning", Integer, nullable=False, server_default="0"),
    Column("recalled", Integer, nullable=False, server_default="0"),
    Column("replays", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    _count("lease_until_ms"),
    Column("running", Boolean, nullable=False, server_default=false()),
    Column("message", Text),
    Column("confirmed_ms", BigInteger),
    Column("started_ms", BigInteger),
    Column("stopped_ms", BigInteger),
    _count("rows_read"),
    _count("bytes_read"),
    _count("rows_written"),
    _count("rows_dirty"),
)

# Of nothing that a renewal writes, so that renewing a lease touches no index.
Index("instance_worker", instance.c.worker)
free = (instance.c.desired == literal_column("'RUN'")) & instance.c.worker.is_(None)
"""Runs that are wanted and that nobody holds. Written out: a partial index serves no question with parameters."""
Index("instance_free", instance.c.desired, sqlite_where=free, postgresql_where=free)

# `chosen`: as Checkpoint.chosen.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("split", Text, primary_key=True),
    _text("position"),
    Column("epoch", Integer, nullable=False),
    Column("done", Boolean, nullable=False, server_default=false()),
    _ms("updated_ms"),
    Column("chosen", Integer),
)

# `config`: JSON text, DDL kind → policy. `source` "": for every kind of source.
project_config = Table(
    "project_config",
    metadata,
    Column("workspace_id", ForeignKey("workspace.id"), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    _text("config", "{}"),
)

# The cuts of a task's full load, as they were made when it began, or when the table came. `stream`: as Split.stream.
# `gone`: the table has left the task. `rows_written` since the table came. `target_name`: where its rows go, as
# `schema.table`; "" where nobody said, in rows of an earlier release.
load_split = Table(
    "load_split",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("split", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    _text("table_name"),
    Column("at", Float, nullable=False, server_default="0"),
    _text("bounds"),
    _text("stream"),
    Column("gone", Boolean, nullable=False, server_default=false()),
    _count("rows_written"),
    _text("target_name"),
)

# Tables that a task has left behind, and why.
failed_table = Table(
    "failed_table",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("table_name", Text, primary_key=True),
    _text("reason"),
    _ms("at_ms"),
)

# Columns of a table of the source that its target goes without: what brought them was not followed.
omitted_column = Table(
    "omitted_column",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("column_name", Text, primary_key=True),
)

failover = Table(
    "failover",
    metadata,
    _id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    _ms("at_ms"),
    _text("reason"),
    Index("failover_file", "file_id", "at_ms"),
)

# What a running task did in the `span_ms` before `at_ms`: rows and bytes since the sample before, and how it then was.
# `grain`: seconds from one sample to the next. `delay_ms`: None where it is not known. `memory_bytes`: of the worker
# that runs it. `rows_dirty`: since the task was started.
sample = Table(
    "sample",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("grain", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("span_ms", BigInteger, nullable=False),
    _count("rows_read"),
    _count("bytes_read"),
    _count("rows_written"),
    Column("delay_ms", BigInteger),
    _count("memory_bytes"),
    _count("rows_dirty"),
    Index("sample_age", "grain", "at_ms"),
)

# What became of a task: see services/happening.py. `detail`: a JSON object.
event = Table(
    "event",
    metadata,
    _id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    _ms("at_ms"),
    _text("type"),
    _text("table_name"),
    _text("message"),
    _text("detail", "{}"),
    Index("event_file", "file_id", "id"),
    sqlite_autoincrement=True,
)

# What a task reads and where it goes, as its newest run has found it when it began; only where somebody traces lineage.
# `flows`: see services/lineage/datasets.py.
lineage = Table(
    "lineage",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    _ms("at_ms"),
    _text("flows", "[]"),
)

# `state`: refused, asked (its replay was asked for, by the task's request number `request`) or replayed. `whole`: false
# where `row` was too large to be kept as it was, or could not be read.
dirty = Table(
    "dirty",
    metadata,
    _id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    _text("table_name"),
    _text("row"),
    _text("reason"),
    _text("position"),
    _ms("at_ms"),
    _text("state", "refused"),
    Column("request", BigInteger, nullable=False, server_default="0"),
    Column("whole", Boolean, nullable=False, server_default=true()),
    Index("dirty_file", "file_id"),
)

# A file of type 24 whose `content` is the ProcessContent. `realtime_id` is its real-time task. `node_rule` and
# `node_group` are those of the text that is deployed. `flow_id`: the business flow that was made for it. Its status is
# computed, never stored: docs/decisions/2026-11-25-solutions.md.
solution = Table(
    "solution",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("realtime_id", ForeignKey("file.id"), nullable=False, unique=True),
    _text("type"),
    _text("source_type"),
    _text("process_type", "new"),
    _count("table_num"),
    Column("flow_id", BigInteger),
    _text("node_rule"),
    Column("node_group", Text),
    Column("submitted_ms", BigInteger),
    Column("started_ms", BigInteger),
)

# A task's text that is made in the background. `state`: run, success or fail; while it runs, whoever works at it has it
# until `until_ms`, then another may take it up.
config_process = Table(
    "config_process",
    metadata,
    _id(),
    Column("workspace_id", ForeignKey("workspace.id"), nullable=False),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    _text("task_type"),
    Column("task_id", BigInteger),
    _text("param"),
    _text("state", "run"),
    _count("until_ms"),
    Column("message", Text),
    Column("content", Text),
    _ms("created_ms"),
    sqlite_autoincrement=True,
)

# A comparison of what a task (a solution's real-time task, too) reads with what it writes. `state` is RUN until its
# `holder`, "" before it has one, says what came of it, or somebody stops it; whose lease has ended by then will not,
# so that it has failed. `tables`: a JSON list of the source's names, an empty one for all. `seconds`: how long the
# task may take to catch up. `differences` are rows that differ now, `repaired` those that did. `report`: a JSON list,
# what is known of each table.
verification = Table(
    "verification",
    metadata,
    _id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    _text("user_id"),
    _text("tables", "[]"),
    Column("repair", Boolean, nullable=False, server_default=false()),
    Column("most", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    _text("state", "RUN"),
    _text("message"),
    _text("holder"),
    _ms("until_ms"),
    _ms("started_ms"),
    Column("ended_ms", BigInteger),
    _count("tables_all"),
    _count("tables_done"),
    _count("rows_compared"),
    _count("differences"),
    _count("repaired"),
    _text("report", "[]"),
    Index("verification_file", "file_id", "id"),
    Index("verification_state", "state"),
    sqlite_autoincrement=True,
)

# Who is signed in at the console. `token`: the SHA-256 of what the cookie holds. `key_id`: the access key's id, sealed.
session = Table(
    "session",
    metadata,
    Column("token", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id"), nullable=False),
    Column("lookup", ForeignKey("access_key.lookup"), nullable=False),
    Column("key_id", LargeBinary, nullable=False),
    _ms("created_ms"),
    _ms("seen_ms"),
    Index("session_key", "lookup", "created_ms"),
)

# Every write that was asked for, through whatever door. It outlives what it names, so it refers to no other table.
# `code` is "" while the operation runs, and stays so where the server died meanwhile.
audit = Table(
    "audit",
    metadata,
    _id(),
    _ms("at_ms"),
    _text("user_id"),
    _text("user_name"),
    _text("door"),
    _text("action"),
    Column("workspace_id", BigInteger),
    Column("file_id", BigInteger),
    _text("parameters", "{}"),
    _text("code"),
    _text("message"),
    _text("request_id"),
    Index("audit_at", "at_ms"),
    Index("audit_workspace", "workspace_id"),
    sqlite_autoincrement=True,
)
