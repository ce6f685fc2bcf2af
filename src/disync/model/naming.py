"""Names of targets made from names of sources: an expression with variables, each changed by replacements first.

The variables are those that the vendor publishes: CreateDIJob's (`srcTableName`), the console's
(`db_table_name_src_transed`), and those of AddColumn (`TABLE_NAME_SRC`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table lies in its source."""

    datasource: str
    database: str
    table: str

    @property
    def variables(self) -> dict[str, str]:
        """By the names that AddColumn has for them."""
        return {
            "DATASOURCE_NAME_SRC": self.datasource,
            "DB_NAME_SRC": self.database,
            "TABLE_NAME_SRC": self.table,
        }


_VARIABLES = {
    "srcDatasourceName": "datasource",
    "srcDatasoureName": "datasource",  # as one published sample has it
    "ds_name_src": "datasource",
    "srcDatabaseName": "database",
    "db_name_src": "database",
    "db_name_src_transed": "database",
    "srcTableName": "table",
    "db_table_name_src": "table",
    "db_table_name_src_transed": "table",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_]+)\}")


class Replacement(msgspec.Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """Every match of the regular expression `from` becomes `to` (with $1 or \\1 for what its first group matched)."""

    old: str
    new: str


class Variable(msgspec.Struct, rename="camel", frozen=True):
    variable_name: str
    variable_rules: tuple[Replacement, ...] = ()


class Naming(msgspec.Struct, frozen=True):
    """A Rename rule's expression. Without variables in it, every table gets this one name."""

    expression: str
    variables: tuple[Variable, ...] = ()

    def of(self, source: Source) -> str:
        values = _values(source)
        for variable in self.variables:
            for rule in variable.variable_rules:
                new = re.sub(r"\$(\d)", r"\\\1", rule.new)
                values[variable.variable_name] = re.sub(rule.old, new, values[variable.variable_name])
        return _VARIABLE.sub(lambda match: values[match[1]], self.expression)


def naming(expression: Mapping[str, Any]) -> Naming:
    """Read a Rename rule's expression. ValueError that says what is wrong with it."""
    found = msgspec.convert(expression, Naming)
    if not found.expression:
        raise ValueError("its `expression` is empty")
    named = [*_VARIABLE.findall(found.expression), *(variable.variable_name for variable in found.variables)]
    for name in named:
        if name not in _VARIABLES:
            raise ValueError(f"there is no variable {name}; there are {', '.join(_VARIABLES)}")
    try:
        found.of(Source("a", "b", "c"))
    except (re.error, IndexError) as error:
        raise ValueError(f"a replacement is no regular expression: {error}") from error
    return found


def _values(source: Source) -> dict[str, str]:
    return {name: getattr(source, part) for name, part in _VARIABLES.items()}
