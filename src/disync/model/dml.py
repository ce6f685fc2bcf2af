"""What becomes of inserts, updates and deletes: the HandleDml rule of a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from disync.model.bound import bind
from disync.model.condition import Condition, parse
from disync.model.data import Column
from disync.model.errors import BadConfig

DmlType = Literal["Insert", "Update", "Delete"]
DmlAction = Literal["Normal", "Ignore", "LogicalDelete", "Filter"]


class DmlPolicy(msgspec.Struct, rename="camel", frozen=True):
    """`filterCondition`: for Filter, which rows are meant (`model.condition`), by the names of the source."""

    dml_type: DmlType
    dml_action: DmlAction = "Normal"
    filter_condition: str = ""


class DmlPolicies(msgspec.Struct, rename="camel", frozen=True):
    dml_policies: tuple[DmlPolicy, ...]


@dataclass(frozen=True, slots=True)
class Dml:
    """`actions`: those that are not Normal.

    `rows`: the target has no other rows than these: inserts and updates are filtered alike, and so is the full load.
    `updates`, `deletes`: only such are applied; inserted rows are there whatever they say. An update by which a row
    comes to be meant is applied, one by which it ceases to be is a delete, and any other of rows that are not meant is
    left out.
    """

    actions: Mapping[DmlType, DmlAction] = field(default_factory=dict)
    rows: Condition | None = None
    updates: Condition | None = None
    deletes: Condition | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(one for one in (self.rows, self.updates, self.deletes) if one is not None)

    def require(self, table: str, columns: tuple[Column, ...]) -> None:
        """BadConfig where a condition does not go with the table's columns."""
        for condition in self.conditions:
            try:
                bind(condition, columns)
            except ValueError as error:
                raise BadConfig(f"HandleDml: the filterCondition of table {table}: {error}.", [table]) from error


def handling(policies: Sequence[DmlPolicy]) -> Dml | None:
    """The policies of one table, of which the last one for a type counts; None where all of them are Normal. ValueError
    that says which is wrong."""
    last = {policy.dml_type: policy for policy in policies}
    actions: dict[DmlType, DmlAction] = {t: p.dml_action for t, p in last.items() if p.dml_action != "Normal"}
    if any(action == "LogicalDelete" and kind != "Delete" for kind, action in actions.items()):
        raise ValueError("only dmlType Delete can be LogicalDelete")
    found = {kind: _condition(last[kind]) for kind, action in actions.items() if action == "Filter"}
    insert, update, delete = (found.get(kind) for kind in ("Insert", "Update", "Delete"))
    if insert is None:
        return Dml(actions, None, update, delete) if actions else None
    if update is None or update.tree != insert.tree:
        raise ValueError(
            "a Filter of dmlType Insert says which rows the target has at all, so dmlType Update needs a Filter with "
            "the same filterCondition"
        )
    return Dml(actions, insert, None, delete if delete is None or delete.tree != insert.tree else None)


def _condition(policy: DmlPolicy) -> Condition:
    if not policy.filter_condition.strip():
        raise ValueError(f"dmlAction Filter of dmlType {policy.dml_type} needs a filterCondition")
    try:
        return parse(policy.filter_condition)
    except ValueError as error:
        raise ValueError(f"filterCondition of dmlType {policy.dml_type}: {error}") from error
