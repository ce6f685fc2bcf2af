"""Data sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from disync.model.connector import Database
from disync.model.errors import DISyncError, ParamInvalid, Refused, TaskError
from disync.model.outlook import Measured
from disync.operations.parameters import Parameters, Payload, asked, counted, environment, keyword
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.data_sources import Filter, Shown, Wanted
from disync.services.pages import Slice

_CHANGES = {"Content": "content", "Description": "description", "EnvType": "env"}


def create_data_source(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Content is kept as it was sent, encrypted; it is checked where DISync has a connector of the type."""
    wanted = Wanted(
        name=parameters["Name"],
        type=parameters["DataSourceType"],
        content=parameters["Content"],
        env=parameters["EnvType"],
        sub_type=parameters.get("SubType"),
        description=parameters.get("Description") or "",
    )
    return {"Data": services.data_sources.create(caller, parameters["ProjectId"], wanted)}


def update_data_source(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A `***` in Content keeps the secret that is stored."""
    changes = {ours: parameters[theirs] for theirs, ours in _CHANGES.items() if theirs in parameters}
    services.data_sources.update(caller, parameters["DataSourceId"], changes)
    return {"Data": True}


def delete_data_source(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Refused while a deployed task needs it."""
    services.data_sources.delete(caller, parameters["DataSourceId"])
    return {"Data": True}


def list_data_sources(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Secrets in Content come back as `***`."""
    status = parameters.get("Status")
    if status not in (None, "", "ENABLED", "DISABLED"):
        raise ParamInvalid("Status", "ENABLED or DISABLED.")
    wanted = Filter(
        name=parameters.get("Name"),
        type=parameters.get("DataSourceType"),
        sub_type=parameters.get("SubType"),
        env=parameters.get("EnvType"),
        enabled=status != "DISABLED",
    )
    page = services.data_sources.list(caller, parameters["ProjectId"], wanted, asked(parameters))
    return {"Data": {"DataSources": [_shown(entry) for entry in page.entries], **counted(page)}}


def test_network_connection(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Connects once from the server, whatever the resource group; link-local and metadata addresses are refused."""
    env = environment(parameters)
    if env is None:
        raise ParamInvalid("EnvType", "0 (development) or 1 (production).")
    try:
        services.data_sources.test(caller, parameters["ProjectId"], parameters["DatasourceName"], env)
    except (Refused, TaskError) as error:
        return {"TaskList": {"ConnectStatus": False, "ConnectMessage": _short(error)}}
    return {"TaskList": {"ConnectStatus": True, "ConnectMessage": ""}}


def test_data_source(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """TestNetworkConnection for a `Content` that is not saved yet, and is not kept. Why it fails is in `Message`."""
    try:
        services.data_sources.test_unsaved(
            caller, parameters["ProjectId"], parameters["DataSourceType"], parameters["Content"]
        )
    except (Refused, TaskError) as error:
        return {"Data": {"Status": "fail", "Message": _short(error)}}
    return {"Data": {"Status": "success", "Message": None}}


def list_data_source_tables(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A data source's tables (of DataHub its topics), read now, in pages; `Keyword` is a part of `database.table`, in
    any case, `Database` the one that is asked for. `Databases` counts what `Keyword` finds in each. `Rows` (an
    estimate), `Bytes` (with indexes) and `Keys` are as the server tells them without a look into the tables. Production
    before development where both have a data source of this name."""
    wanted = keyword(parameters) or "", parameters.get("Database") or ""
    found = services.tables.list(
        caller, parameters["ProjectId"], parameters["DatasourceName"], wanted, asked(parameters)
    )
    databases = [{"Database": name, "Tables": count} for name, count in found.databases]
    tables = [_table(*place, measured) for place, measured in found.page.entries]
    return {"Data": {"Databases": databases, "Tables": tables, **counted(found.page)}}


def get_data_source_meta(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Databases and tables as they are now; a page counts tables."""
    page, env = asked(parameters), environment(parameters)
    found = services.tables.catalog(caller, parameters["ProjectId"], parameters["DatasourceName"], env)
    meta = msgspec.json.encode({"dbTables": list(_tables(found, page))}).decode()
    return {"Data": {"Meta": meta, "Status": "success", "Message": None}}


def _tables(databases: Sequence[Database], page: Slice) -> Iterator[Payload]:
    """The databases that have tables on this page. One without any table stands where its first would be."""
    seen = 0
    for database in databases:
        first, last = max(page.offset - seen, 0), page.offset + page.size - seen
        here = database.tables[first:last] if last > 0 else ()
        empty = not database.tables and 0 <= seen - page.offset < page.size
        if here or empty:
            tables = [{"dbName": database.name, "enable": True, "table": t, "tableName": t} for t in here]
            yield {"dbName": database.name, "schema": [{"tableInfos": tables}]}
        seen += len(database.tables)


def _table(database: str, name: str, measured: Measured) -> Payload:
    known = {"Rows": measured.rows, "Bytes": measured.bytes, "Keys": list(measured.keys)}
    return {"Database": database, "Table": name, **known}


def _short(error: DISyncError) -> str:
    """One line; some systems answer with pages."""
    text = str(error).splitlines()
    return (text[0] if text else type(error).__name__)[:200]


def _shown(entry: Shown) -> Payload:
    row = entry.row
    return {
        "Id": row.id,
        "Name": row.name,
        "DataSourceType": row.type,
        "SubType": row.sub_type,
        "Content": entry.content,
        "Description": row.description,
        "EnvType": row.env,
        "Status": 1,
        "ProjectId": row.workspace_id,
        "Operator": row.editor_id,
        "GmtCreate": spelled(row.created_ms),
        "GmtModified": spelled(row.modified_ms),
        "Shared": False,
        "DefaultEngine": False,
        "Sequence": row.id,
        "TenantId": 1,
    }
