"""The tables that a step selects: named one by one, or by rules that tables to come may meet as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from disync.connectors.mysql.config import Connection, ReaderParameters
from disync.model.errors import BadConfig
from disync.model.selection import Selected, SelectionRule

_URL = "\0"
"""Stands for the database of the data source's URL where that is not known."""

SYSTEM = frozenset({"mysql", "sys", "information_schema", "performance_schema"})


@dataclass(frozen=True, slots=True)
class Selection:
    """Databases, and the tables wanted in each; an empty set stands for all of its base tables. `rules` select more.
    `zero`: the step's `zeroDate`, by which their columns become others. Of all these `only` some count (None: all), and
    none of those `without`."""

    databases: Mapping[str, frozenset[str]]
    zero: str = "null"
    rules: tuple[Selected, ...] = ()
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def name(self, database: str, table: str) -> str:
        """The table's own name, with its database before it where there may be several, so that names stay unique."""
        return f"{database}.{table}" if self.qualified else table

    def limited(self, only: frozenset[str] | None, without: frozenset[str]) -> Selection:
        return replace(self, only=only, without=self.without | without)

    def holds(self, database: str, table: str) -> bool:
        if self.only is not None or self.without:
            name = self.name(database, table)
            if name in self.without or (self.only is not None and name not in self.only):
                return False
        wanted = self.databases.get(database)
        if wanted is not None and (not wanted or table in wanted):
            return True
        return any(rules.table(database, table) for rules in self.rules) and database.lower() not in SYSTEM

    def among(self, databases: Iterable[str]) -> list[str]:
        """Those of a server's databases that tables may be selected from."""
        return [
            name
            for name in databases
            if name in self.databases or (name.lower() not in SYSTEM and any(r.database(name) for r in self.rules))
        ]

    @property
    def fixed(self) -> frozenset[str] | None:
        """All databases that can ever be selected from; None where rules may meet more."""
        found = [rules.exact_databases for rules in self.rules]
        return frozenset(self.databases).union(*(one or () for one in found)) if None not in found else None

    @property
    def qualified(self) -> bool:
        """Whether a table's name needs its database before it to be unique."""
        fixed = self.fixed
        return fixed is None or len(fixed) != 1


def of_step(parameters: ReaderParameters, database: str) -> Selection:
    """`database`: the one of the data source's URL."""
    chosen: dict[str, set[str] | None] = {}
    rules: list[Selected] = []
    single = (parameters.table,) if isinstance(parameters.table, str) else parameters.table
    for connection in (*parameters.connection, Connection(table=single)):
        if connection.table:
            _choose(chosen, database, set(connection.table))
        for selected in connection.selected_tables:
            tables = {info.table for schema in selected.schema for info in schema.table_infos if info.enable}
            listed = any(schema.table_infos for schema in selected.schema)
            if tables or not listed:
                _choose(chosen, selected.db_name, tables)
        if connection.source_object_selection_rules:
            rules.append(_rules(connection.source_object_selection_rules, database))
    if not chosen and not rules:
        _choose(chosen, database, set())
    selection = Selection({n: frozenset(tables or ()) for n, tables in chosen.items()}, parameters.zero_date, (*rules,))
    if "" in (selection.fixed or ()):
        raise BadConfig("The mysql step selects no database: name one in the data source's `jdbcUrl`.")
    return selection


def named(parameter: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(database, table) of those that a step's parameter names one by one, "" for the URL's database; none of a
    parameter that is not right."""
    try:
        chosen = of_step(msgspec.convert(dict(parameter), ReaderParameters), _URL).databases
    except (msgspec.ValidationError, BadConfig):
        return []
    return [("" if db == _URL else db, table) for db, tables in sorted(chosen.items()) for table in sorted(tables)]


def _rules(rules: tuple[SelectionRule, ...], database: str) -> Selected:
    """Rules that include no database mean the URL's."""
    if any(rule.object_type == "Database" and rule.action == "Include" for rule in rules):
        return Selected(rules)
    if not database:
        raise BadConfig("The mysql step selects no database: name one in the data source's `jdbcUrl`, or by a rule.")
    return Selected((*rules, SelectionRule(database, "Database")))


def _choose(chosen: dict[str, set[str] | None], database: str, tables: set[str]) -> None:
    """Add tables of a database; no tables stand for all, and all plus some are all."""
    known = chosen.setdefault(database, set())
    if not tables:
        chosen[database] = None
    elif known is not None:
        known.update(tables)
