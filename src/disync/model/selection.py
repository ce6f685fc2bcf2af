"""Which tables of a source are meant: CreateDIJob's SourceObjectSelectionRules, as members of a task's text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class SelectionRule(msgspec.Struct, rename="camel", frozen=True):
    """One rule: databases or tables by their exact name or by a regular expression that describes the whole of it."""

    expression: Expression
    object_type: Literal["Database", "Table"] = "Table"
    expression_type: Literal["Exact", "Regex"] = "Exact"
    action: Literal["Include", "Exclude"] = "Include"

    def __post_init__(self) -> None:
        if self.expression_type == "Regex":
            try:
                re.compile(self.expression)
            except re.error as error:
                raise ValueError(f"`expression` is no regular expression: {error}") from error


@dataclass(frozen=True, slots=True)
class Selected:
    """What rules select. A name is meant that some Include of its type describes, or all where there is none, and that
    no Exclude describes."""

    rules: tuple[SelectionRule, ...]

    def database(self, name: str) -> bool:
        return _meant(name, [rule for rule in self.rules if rule.object_type == "Database"])

    def table(self, database: str, name: str) -> bool:
        return self.database(database) and _meant(name, [rule for rule in self.rules if rule.object_type == "Table"])

    @property
    def exact_databases(self) -> frozenset[str] | None:
        """The databases, where they are told one by one; None where more may come."""
        included = [r for r in self.rules if r.object_type == "Database" and r.action == "Include"]
        if not included or any(rule.expression_type == "Regex" for rule in included):
            return None
        return frozenset(rule.expression for rule in included if self.database(rule.expression))


def _meant(name: str, rules: Sequence[SelectionRule]) -> bool:
    included = [rule for rule in rules if rule.action == "Include"]
    if included and not _described(name, included):
        return False
    return not _described(name, (rule for rule in rules if rule.action == "Exclude"))


def _described(name: str, rules: Iterable[SelectionRule]) -> bool:
    return any(
        rule.expression == name if rule.expression_type == "Exact" else re.fullmatch(rule.expression, name)
        for rule in rules
    )
