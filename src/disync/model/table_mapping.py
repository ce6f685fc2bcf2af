"""How tables of a source become tables of a target: the `tableMappingRule` of a writer step.

Two forms, which may stand side by side: `datasource[].tableRule[]` names tables one by one, as the vendor writes it
into solutions; `tableMappings` and `transformationRules` are CreateDIJob's, spelled as members of a task's text, and
take tables by rule. A table that a tableRule names is mapped by it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from disync.model.data import Column, Table
from disync.model.dml import Dml, DmlPolicies, DmlPolicy, handling
from disync.model.errors import BadConfig
from disync.model.naming import Naming, Source, naming
from disync.model.selection import Selected, SelectionRule
from disync.model.types import Kind

DELETED = Column("_is_deleted_", Kind.BOOLEAN, nullable=False)
"""What LogicalDelete adds: whether the row is gone from the source."""

RuleAction = Literal["Rename", "AddColumn", "DefinePrimaryKey", "HandleDml"]


class KeyInfo(msgspec.Struct, rename="camel", frozen=True):
    column: tuple[str, ...] = ()
    type: str = "pk"


class CreateInfo(msgspec.Struct, rename="camel", frozen=True):
    schema_name: str = ""
    table_name: str = ""


class TableRule(msgspec.Struct, rename="camel", frozen=True):
    """A table of the source by name. `dstTable` is `schema.table`, or `table` alone."""

    src_table: str
    src_db_name: str = ""
    dst_table: str = ""
    primary_key_info: KeyInfo | None = None
    dst_create_table_info: CreateInfo | None = None


class SourceRules(msgspec.Struct, rename="camel", frozen=True):
    src_datasource_name: str = ""
    table_rule: tuple[TableRule, ...] = ()


class RuleName(msgspec.Struct, rename="camel", frozen=True):
    rule_name: str
    rule_action_type: RuleAction
    rule_target_type: Literal["Table", "Schema"] = "Table"


class TransformationRule(msgspec.Struct, rename="camel", frozen=True):
    """`ruleExpression`: an object, or its JSON text as in CreateDIJob."""

    rule_name: str
    rule_action_type: RuleAction
    rule_expression: dict[str, Any] | str
    rule_target_type: Literal["Table", "Schema"] = "Table"


class TableMapping(msgspec.Struct, rename="camel", frozen=True):
    """Tables by rule, and the names of the rules that are applied to them."""

    source_object_selection_rules: tuple[SelectionRule, ...] = ()
    transformation_rules: tuple[RuleName, ...] = ()


class TableMappingRule(msgspec.Struct, rename="camel", frozen=True):
    datasource: tuple[SourceRules, ...] = ()
    total_table_mapping: int | str | None = None
    table_mappings: tuple[TableMapping, ...] = ()
    transformation_rules: tuple[TransformationRule, ...] = ()


class AddedColumn(msgspec.Struct, rename="camel", frozen=True):
    """`Constant`: the text of `columnValue`. `Variable`: one of naming.VARIABLES, or EXECUTE_TIME (ms since 1970)."""

    column_name: str
    column_value_type: Literal["Constant", "Variable"]
    column_value: str


class AddColumns(msgspec.Struct, frozen=True):
    columns: tuple[AddedColumn, ...]


class DefinedKey(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """A column that the source has not. `value` None: the time at which the row is handled, in ms since 1970."""

    column: Column
    value: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of one table of the source. `merged`: other tables go to the same target, so that what happens to
    this table as a whole must not happen there."""

    source: Table
    target: Table
    added: tuple[Added, ...] = ()
    dml: Dml | None = None
    merged: bool = False

    @property
    def rows_as_they_are(self) -> bool:
        return not self.added and self.dml is None


@dataclass(frozen=True, slots=True)
class _Way:
    """One entry of `tableMappings` with its rules looked up; of two that name the same thing the last one counts. The
    tables of one entry may share a target."""

    selected: Selected
    table: Naming | None = None
    schema: Naming | None = None
    added: tuple[AddedColumn, ...] = ()
    keys: tuple[str, ...] = ()
    policies: tuple[DmlPolicy, ...] = ()
    dml: Dml | None = None


class TableMappings:
    """The mapping of one writer step; `sources` are the names of the reader's data sources, `target` the writer's."""

    def __init__(self, rule: TableMappingRule, source: str, target: str) -> None:
        self._source, self._target = source, target
        self._named: dict[str, list[TableRule]] = {}
        for rules in rule.datasource:
            if rules.src_datasource_name in ("", source):
                for entry in rules.table_rule:
                    self._named.setdefault(entry.src_table, []).append(entry)
        self._ways = list(_ways(rule))

    def routes(self, tables: Sequence[Table]) -> list[Route]:
        """One route a table. BadConfig where two tables would be written to one target by mistake."""
        ways = [self._way(table) for table in tables]
        found = [self._route(table, way) for table, way in zip(tables, ways, strict=True)]
        shared = _shared(found)
        for place, others in shared.items():
            if len({id(ways[at]) if ways[at] is not None else at for at in others}) > 1:
                raise BadConfig(
                    f"Several tables of the source would be written to {'.'.join(filter(None, place))}: "
                    f"{', '.join(tables[at].name for at in others[:8])}. Name each its own target; tables that are "
                    "meant to become one are mapped by one entry of `tableMappings`."
                )
        return [replace(route, merged=len(shared.get(route.target.path, ())) > 1) for route in found]

    def route(self, table: Table) -> Route:
        return self._route(table, self._way(table))

    def _way(self, table: Table) -> _Way | TableRule | None:
        database, name = origin(table)
        for entry in self._named.get(name, ()):
            if entry.src_db_name in ("", database):
                return entry
        return next((way for way in self._ways if way.selected.table(database, name)), None)

    def _route(self, table: Table, way: _Way | TableRule | None) -> Route:
        if way is None:
            return Route(table, replace(table, path=()))
        return _by_name(table, way) if isinstance(way, TableRule) else self._by_rule(table, way)

    def _by_rule(self, table: Table, way: _Way) -> Route:
        database, name = origin(table)
        source = Source(self._source, database, name)
        schema = way.schema.of(source) if way.schema else ""
        path = (schema, way.table.of(source) if way.table else name)
        if not path[1]:
            raise BadConfig(f"The rules of tableMappingRule leave no name for the target of {table.name}.")
        variables = source.variables | {
            "DB_NAME_DEST": schema,
            "TABLE_NAME_DEST": path[1],
            "DATASOURCE_NAME_DEST": self._target,
            "DB_NAME_SRC_TRANSED": schema or database,
        }
        added = [_added(column, variables, table) for column in way.added]
        dml = way.dml if table.columns else None
        if dml is not None:
            dml.require(table.name, table.columns)
            if dml.actions.get("Delete") == "LogicalDelete":
                added.append(Added(DELETED, "false"))
        columns = (*table.columns, *(one.column for one in added))
        target = Table(_name(path), columns, _keys(way.keys or table.keys, columns, table), path, table.repeats)
        return Route(table, target, tuple(added), dml)


def origin(table: Table) -> tuple[str, str]:
    """(database, name) of a table of the source; "" for a database that has no name."""
    return (table.path[0], table.path[1]) if len(table.path) == 2 else ("", table.name)


def read(parameter: Mapping[str, Any]) -> TableMappingRule:
    """The `tableMappingRule` of a writer step's parameter. BadConfig that names the member at fault."""
    try:
        rule = msgspec.convert(parameter.get("tableMappingRule") or {}, TableMappingRule)
        list(_ways(rule))
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise BadConfig(f"tableMappingRule{place.strip('`').removeprefix('$')}: {reason}.") from error
    return rule


def _by_name(table: Table, entry: TableRule) -> Route:
    info = entry.dst_create_table_info or CreateInfo()
    schema, dot, name = entry.dst_table.rpartition(".")
    if info.table_name and entry.dst_table in ("", info.table_name, f"{info.schema_name}.{info.table_name}"):
        path = (info.schema_name, info.table_name)  # it says where the dot stands
    else:
        path = (schema if dot else info.schema_name, name or entry.src_table)
    keys = entry.primary_key_info.column if entry.primary_key_info else ()
    target = Table(_name(path), table.columns, _keys(keys or table.keys, table.columns, table), path, table.repeats)
    return Route(table, target)


def _ways(rule: TableMappingRule) -> Iterator[_Way]:
    known = {(r.rule_name, r.rule_action_type, r.rule_target_type): r for r in rule.transformation_rules}
    for place, mapping in enumerate(rule.table_mappings):
        way = _Way(Selected(mapping.source_object_selection_rules))
        for name in mapping.transformation_rules:
            found = known.get((name.rule_name, name.rule_action_type, name.rule_target_type))
            if found is None:
                raise BadConfig(
                    f"tableMappingRule.tableMappings[{place}]: there is no {name.rule_action_type} rule named "
                    f"{name.rule_name} for {name.rule_target_type} in transformationRules."
                )
            way = _with(way, found)
        try:
            yield replace(way, dml=handling(way.policies))
        except ValueError as error:
            raise BadConfig(f"The HandleDml rules of tableMappingRule.tableMappings[{place}]: {error}.") from error


def _with(way: _Way, rule: TransformationRule) -> _Way:
    place = f"The {rule.rule_action_type} rule {rule.rule_name} of tableMappingRule"
    try:
        written = rule.rule_expression
        expression = msgspec.json.decode(written) if isinstance(written, str) else written
        match rule.rule_action_type:
            case "Rename" if rule.rule_target_type == "Schema":
                return replace(way, schema=naming(expression))
            case "Rename":
                return replace(way, table=naming(expression))
            case "AddColumn":
                return replace(way, added=(*way.added, *msgspec.convert(expression, AddColumns).columns))
            case "DefinePrimaryKey":
                return replace(way, keys=msgspec.convert(expression, DefinedKey).columns)
            case "HandleDml":
                return replace(way, policies=(*way.policies, *msgspec.convert(expression, DmlPolicies).dml_policies))
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise BadConfig(f"{place}: {error}.") from error


def _added(column: AddedColumn, variables: Mapping[str, str], table: Table) -> Added:
    if any(column.column_name.lower() == other.name.lower() for other in table.columns):
        raise BadConfig(f"AddColumn: {table.name} has a column {column.column_name} already; name another one.")
    if column.column_value_type == "Constant":
        return Added(Column(column.column_name, Kind.STRING, nullable=False), column.column_value)
    variable = column.column_value.removeprefix("${").removesuffix("}")
    if variable == "EXECUTE_TIME":
        return Added(Column(column.column_name, Kind.BIGINT, nullable=False), None)
    if variable not in variables:
        raise BadConfig(f"AddColumn: there is no variable {variable}; there are EXECUTE_TIME, {', '.join(variables)}.")
    return Added(Column(column.column_name, Kind.STRING, nullable=False), variables[variable])


def _keys(wanted: Sequence[str], columns: Sequence[Column], table: Table) -> tuple[str, ...]:
    if not table.columns:
        return ()  # of a table that is gone nothing but its name is known
    names = {column.name for column in columns}
    if missing := [name for name in wanted if name not in names]:
        raise BadConfig(f"The key of the target of {table.name} names columns that it has not: {', '.join(missing)}.")
    return tuple(wanted)


def _shared(routes: Sequence[Route]) -> dict[tuple[str, ...], list[int]]:
    """Target → the places of all routes that lead there, where there are several."""
    by_target: dict[tuple[str, ...], list[int]] = {}
    for place, route in enumerate(routes):
        by_target.setdefault(route.target.path or ("", route.target.name), []).append(place)
    return {path: places for path, places in by_target.items() if len(places) > 1}


def _name(path: Sequence[str]) -> str:
    return ".".join(part for part in path if part)
