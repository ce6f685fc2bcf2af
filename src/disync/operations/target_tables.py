"""What becomes of tables, told before a task is made, and a table of the target made by hand."""

from __future__ import annotations

from disync.engine.foresee import Foreseen
from disync.model.outlook import Outlook
from disync.operations.parameters import Parameters, Payload, asked, counted, keyword
from disync.services import Caller, Services


def preview_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """What a real-time task or a solution of this text would do now: the tables that it selects, in pages (`Keyword`: a
    part of their names), each with its target as patterns, rules and the mapping make it. `Ddl` is the statement by
    which a target that is not there would be made, without comments; "" where it is there, or where DISync makes none
    (topics of DataHub). `Warnings` say why a run would not take a table as it is. Nothing is kept, made or started."""
    text = parameters["TaskType"], parameters["TaskContent"]
    page = services.preview.of(caller, parameters["ProjectId"], text, keyword(parameters) or "", asked(parameters))
    shown = [_shown(one) for one in page.entries]
    return {"Data": {"Status": "success", "Message": None, "Tables": shown, **counted(page)}}


def create_di_sync_target_table(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Runs one CREATE TABLE statement, as PreviewDISyncTask tells it or changed by hand, in the database of a data
    source of the type postgresql or holo; its schema is made where it is missing. Any other statement is refused, and
    so is one for a table that is there."""
    asked_for = parameters["DatasourceName"], parameters["Ddl"]
    table = services.tables.make(caller, parameters["ProjectId"], *asked_for)
    return {"Data": {"Status": "success", "Message": None, "Table": table}}


def _shown(one: Foreseen) -> Payload:
    outlook = one.outlook or Outlook("", False)
    return {
        "SourceTable": one.source.name,
        "TargetTable": outlook.place or one.target.name,
        "Exists": outlook.exists if one.outlook else None,
        "Ddl": outlook.ddl,
        "Columns": _columns(one, outlook),
        "Warnings": list(one.warnings),
    }


def _columns(one: Foreseen, outlook: Outlook) -> list[Payload]:
    """Those of the target, in its order; what the source has not, has no type there."""
    keys = {key.lower() for key in one.target.keys}
    nullable = {column.name: column.nullable for column in one.target.columns}
    return [
        {
            "Name": name,
            "SourceType": one.types.get(name, ""),
            "TargetType": outlook.types.get(name, ""),
            "Nullable": nullable.get(name, True) and name.lower() not in keys,
            "Key": name.lower() in keys,
        }
        for name in dict.fromkeys([*nullable, *outlook.types])
    ]
