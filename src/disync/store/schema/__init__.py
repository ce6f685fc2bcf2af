"""Every table of the store. SQLite and PostgreSQL hold the same shape.

Numbers that a client may ask for by any 64-bit value are BigInteger, so that every question has an answer.
All ids stay below 2^53, so that clients whose numbers are doubles keep them exact. Times are milliseconds since 1970.
Secrets are sealed by the vault before they come here.

Whoever needs a table takes it from here, so that `metadata` is whole wherever one of its tables is.
"""

from disync.store.schema.callers import access_key, audit, client_token, session, user
from disync.store.schema.files import FIRST_FILE, business, config_process, deployment, file, folder, solution
from disync.store.schema.lending import lending, lent, seat
from disync.store.schema.progress import checkpoint, dirty, failed_table, load_split, omitted_column
from disync.store.schema.runs import failover, free, installation, instance
from disync.store.schema.shape import metadata, nonces
from disync.store.schema.watch import event, lineage, sample, verification
from disync.store.schema.workspaces import (
    FIRST_WORKSPACE,
    data_source,
    member,
    project_config,
    resource_group,
    workspace,
)

__all__ = [
    "FIRST_FILE",
    "FIRST_WORKSPACE",
    "access_key",
    "audit",
    "business",
    "checkpoint",
    "client_token",
    "config_process",
    "data_source",
    "deployment",
    "dirty",
    "event",
    "failed_table",
    "failover",
    "file",
    "folder",
    "free",
    "installation",
    "instance",
    "lending",
    "lent",
    "lineage",
    "load_split",
    "member",
    "metadata",
    "nonces",
    "omitted_column",
    "project_config",
    "resource_group",
    "sample",
    "seat",
    "session",
    "solution",
    "user",
    "verification",
    "workspace",
]
