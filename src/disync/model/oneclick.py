"""The short form of a task (TaskParam of GenerateDISyncTaskConfigFor…), and the whole text that is made of it.

What is made has the form of the vendor's own sample: a full job for DI_REALTIME, a ProcessContent for DI_SOLUTION.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from disync.model.connector import Declared
from disync.model.data import Column, Table
from disync.model.errors import Refused
from disync.model.job import Step
from disync.model.solution import MYSQL_TO_HOLO

KINDS = {"oneclick_to_holo": "holo", "oneclick_to_kafka": "kafka", "oneclick_to_odps": "odps"}
"""`setting.taskType` → the target's stepType."""

DESCRIBED = 500
"""With more tables than this, the rules leave out the columns: the text must go into one request."""

_CODE = "Invalid.TaskParam"
Object = dict[str, Any]
Declare = Callable[[Column], Declared]


@dataclass(frozen=True, slots=True)
class Short:
    """A short form: the two steps as they were written, and its `setting`."""

    kind: str
    setting: Mapping[str, Any]
    reader: Step
    writer: Step

    @property
    def selects_all(self) -> bool:
        """No table named: all of the database, those to come too."""
        return not any(_names(connection) for connection in connections(self.reader.parameter))


@dataclass(frozen=True, slots=True)
class Origin:
    """A table of the source, and the database that it is in ("" where only the data source names it)."""

    database: str
    name: str
    table: Table


def read(param: Mapping[str, Any]) -> Short:
    """The short form of a new task. Raises Refused with the place of what is wrong."""
    setting = _object(param.get("setting"), "$.setting")
    kind = setting.get("taskType")
    if kind not in KINDS:
        raise Refused(f"TaskParam: $.setting.taskType must be one of {', '.join(KINDS)}.", _CODE)
    reader, writer = (_step(param, category) for category in ("reader", "writer"))
    if not reader.type or not writer.type:
        raise Refused("TaskParam: $.steps: both steps need a stepType.", _CODE)
    if writer.type.lower() != KINDS[kind]:
        raise Refused(
            f'TaskParam: $.setting.taskType says {kind}, and {writer.place}.stepType says "{writer.type}". '
            "Make them agree.",
            _CODE,
        )
    for step in (reader, writer):
        if not step.data_sources:
            raise Refused(f"TaskParam: {step.place}.parameter: name the data source (datasource).", _CODE)
    return Short(kind, setting, reader, writer)


def tables_of(param: Mapping[str, Any]) -> Object:
    """The reader's connection of a short form that changes a task: `table`, or `selectedTables`."""
    found = connections(_step(param, "reader").parameter)
    if len(found) != 1 or not any(isinstance(found[0].get(member), list) for member in ("table", "selectedTables")):
        raise Refused("TaskParam: $.steps: give the reader one connection, with its new list of tables (table).", _CODE)
    return found[0]


def connections(parameter: Mapping[str, Any]) -> list[Object]:
    written = parameter.get("connection")
    return [item for item in written if isinstance(item, dict)] if isinstance(written, list) else []


def job(short: Short, origins: Sequence[Origin], declare: Declare) -> Object:
    """The full job, as CreateDISyncTask takes it for DI_REALTIME."""
    extend: Object = {"mode": f"migration_{KINDS[short.kind]}", **_group(short), **_name(short)}
    return {
        "extend": extend,
        "type": "job",
        "steps": _steps(short, origins, declare),
        "version": "2.0",
        "order": {"hops": [{"from": "reader", "to": "writer"}]},
    }


def process(short: Short, origins: Sequence[Origin], declare: Declare) -> Object:
    """The ProcessContent, as CreateDISyncTask takes it for DI_SOLUTION."""
    steps = _steps(short, origins, declare)
    kind, writer = KINDS[short.kind], steps[1]["parameter"]
    rule = f"oneclick_{kind}_di_${{db_table_name_src}}_to_${{db_table_name_dest}}"
    schedule = short.setting.get("scheduleResgroupId")
    group = {"resourceGroup": str(schedule)} if schedule else _group(short)
    content: Object = {"order": {"hops": [{"from": "reader", "to": "writer"}]}, "steps": steps}
    extend = {"mode": f"migration_{kind}", **_group(short), **_name(short)}
    return {
        f"{kind}Datasource": writer["datasource"],
        "offlineSyncConfig": {"nodeNameRule": rule, **group},
        **({"processRuleId": MYSQL_TO_HOLO} if (short.reader.type.lower(), kind) == ("mysql", "holo") else {}),
        "realtimeSyncConfig": {"content": content, "extend": extend},
        "setting": {"autoCreateWorkflow": True, "userDefinedFileNameExpression": "oneclick"},
        "srcType": short.reader.type,
        "tableMappingRuleFromRealtimeSyncConfig": writer["tableMappingRule"],
    }


def changed_tables(connection: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object:
    """A reader's connection with another list of tables, in the databases that it names."""
    kept = {name: value for name, value in connection.items() if name not in ("table", "selectedTables")}
    if isinstance(wanted.get("selectedTables"), list):
        return {**kept, "selectedTables": wanted["selectedTables"]}
    selected = connection.get("selectedTables")
    if not isinstance(selected, list) or not selected:
        return {**kept, "table": wanted["table"]}
    databases = [item.get("dbName") for item in selected if isinstance(item, dict)]
    if len(databases) != 1:
        raise Refused("TaskParam: the task reads several databases: give selectedTables in place of table.", _CODE)
    return {**kept, "selectedTables": [_selected(str(databases[0]), wanted["table"])]}


def changed_rules(mapping: Mapping[str, Any], origins: Sequence[Origin], more: Sequence[Object]) -> Object:
    """The rules of a mapping for these tables: those there are as they are, and `more` for tables that have none. A
    mapping that names no table stays so: all tables go where they would go without it."""
    sources = mapping.get("datasource")
    first = sources[0] if isinstance(sources, list) and sources and isinstance(sources[0], dict) else {}
    written = first.get("tableRule")
    if not isinstance(written, list) or not written:
        return dict(mapping)
    wanted = {(origin.database, origin.name) for origin in origins}
    names = {name for _, name in wanted}

    def stays(rule: Mapping[str, Any]) -> bool:
        database, name = rule.get("srcDbName") or "", rule.get("srcTable")
        return (database, name) in wanted or (name in names and ("", name) in wanted)

    kept = [rule for rule in written if isinstance(rule, dict) and stays(rule)]
    known = {rule.get("srcTable") for rule in kept}
    rules = [*kept, *(rule for rule in more if rule["srcTable"] not in known)]
    changed = {**mapping, "datasource": [{**first, "tableRule": rules}, *sources[1:]]} if sources else dict(mapping)
    return {**changed, "totalTableMapping": len(rules)} if "totalTableMapping" in mapping else changed


def rules(origins: Sequence[Origin], schema: str, declare: Declare) -> list[Object]:
    """An entry of `tableRule` a table: to the same name, in `schema`, or where none is given, in one named like the
    database."""
    described = len(origins) <= DESCRIBED
    return [_rule(origin, schema or origin.database, declare if described else None) for origin in origins]


def _steps(short: Short, origins: Sequence[Origin], declare: Declare) -> list[Object]:
    parameter = dict(short.writer.parameter)
    source = short.reader.data_sources[0][0]
    schema = str(parameter.get("datasourceSchema") or parameter.get("schema") or "")
    found = [] if short.selects_all else rules(origins, schema, declare)
    mapping: Object = {"datasource": [{"tableRule": found, "srcDatasourceName": source}]}
    if found:
        mapping["totalTableMapping"] = len(found)
    parameter = {"datasource": short.writer.data_sources[0][0], **parameter, "tableMappingRule": mapping}
    parameter.setdefault("writeMode", "replay")
    reading = {**short.reader.parameter, "connection": [_connection(c) for c in connections(short.reader.parameter)]}
    return [
        {"stepType": short.reader.type, "parameter": reading, "name": "reader", "category": "reader"},
        {"stepType": short.writer.type, "parameter": parameter, "name": "writer", "category": "writer"},
    ]


def _connection(connection: Mapping[str, Any]) -> Object:
    """`selectedTables` wins over `table`; each of its tables in the sample's form."""
    selected = connection.get("selectedTables")
    if not isinstance(selected, list) or not selected:
        return dict(connection)
    kept = {name: value for name, value in connection.items() if name not in ("table", "selectedTables")}
    databases: dict[str, list[str]] = {}
    for item in selected:
        if isinstance(item, dict):
            databases.setdefault(str(item.get("dbName")), []).extend(_infos(item))
    return {**kept, "selectedTables": [_selected(name, tables) for name, tables in databases.items()]}


def _selected(database: str, tables: Sequence[str]) -> Object:
    infos = [{"enable": True, "table": name, "tableName": name} for name in dict.fromkeys(tables)]
    return {"schema": [{"tableInfos": infos}] if infos else [], "dbName": database}


def _names(connection: Mapping[str, Any]) -> list[str]:
    selected = connection.get("selectedTables")
    if isinstance(selected, list) and selected:
        return [name for item in selected if isinstance(item, dict) for name in _infos(item)]
    table = connection.get("table")
    return [name for name in table if isinstance(name, str)] if isinstance(table, list) else []


def _infos(selected: Mapping[str, Any]) -> list[str]:
    schemas = selected.get("schema")
    found = []
    for schema in schemas if isinstance(schemas, list) else []:
        infos = schema.get("tableInfos") if isinstance(schema, dict) else None
        for info in infos if isinstance(infos, list) else []:
            if isinstance(info, dict) and isinstance(info.get("table"), str) and info.get("enable") is not False:
                found.append(info["table"])
    return found


def _rule(origin: Origin, schema: str, declare: Declare | None) -> Object:
    rule: Object = {
        "srcTable": origin.name,
        "mergeIntoCycleType": "DEFAULT",
        "hourDeltaEnable": False,
        "dstTable": f"{schema}.{origin.name}" if schema else origin.name,
        "dayDeltaEnable": False,
    }
    if origin.table.keys:
        rule["primaryKeyInfo"] = {"column": list(origin.table.keys), "type": "pk"}
    made: Object = {"indexType": origin.name, "schemaName": schema, "tableName": origin.name}
    if declare is not None:
        made["dataColumn"] = [_column(origin.table, place, declare) for place in range(len(origin.table.columns))]
    rule["dstCreateTableInfo"] = made
    rule["srcDbName"] = origin.database
    return rule


def _column(table: Table, place: int, declare: Declare) -> Object:
    column = table.columns[place]
    declared = declare(column)
    return {
        "columnSize": declared.size,
        "name": column.name,
        "index": place,
        "comment": column.comment,
        "newDigit": declared.digits,
        "type": declared.type,
        "digit": declared.digits,
        "primaryKey": column.name in table.keys,
    }


def _group(short: Short) -> Object:
    group = short.setting.get("resourceGroup")
    return {"resourceGroup": group} if group else {}


def _name(short: Short) -> Object:
    name = short.setting.get("name")
    return {"name": name} if isinstance(name, str) and name else {}


def _step(param: Mapping[str, Any], category: str) -> Step:
    steps = param.get("steps")
    for place, item in enumerate(steps if isinstance(steps, list) else []):
        if isinstance(item, dict) and str(item.get("category")).lower() == category:
            at = f"$.steps[{place}]"
            parameter = _object(item.get("parameter"), f"{at}.parameter")
            return Step(str(item.get("name") or category), str(item.get("stepType") or ""), parameter, at)
    raise Refused(f'TaskParam: $.steps: there is no step of the category "{category}".', _CODE)


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"TaskParam: {place} must be an object.", _CODE)
    return value
