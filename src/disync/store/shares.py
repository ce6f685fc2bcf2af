"""Which runs a worker may take, among those of all tasks."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select

from disync.store.resource_groups import DEFAULT
from disync.store.schema import deployment, instance, resource_group


@dataclass(frozen=True, slots=True)
class Share:
    """`groups`: the resource groups whose tasks it takes; "" are those that name none. `others`: and those that name
    none, or one that is not known. `only`: of these this task alone, and while it takes just `most`.

    `room`: how much it carries at once, and `most`: how large one task may be, in CUs. `devoted`: it only helps, and
    has a CPU for that.
    """

    groups: Set[str] = frozenset((DEFAULT,))
    others: bool = True
    only: int | None = None
    room: float = math.inf
    most: float = math.inf
    devoted: bool = False


ALL = Share()
"""On one machine."""


def served(share: Share) -> ColumnElement[bool]:
    """Of instances and their deployments: whether their tasks are such, whatever their size."""
    group = func.coalesce(deployment.c.resource_group, "")
    ours: ColumnElement[bool] = group.in_(share.groups)
    if share.others:
        ours = or_(ours, group == "", group.not_in(select(resource_group.c.identifier)))
    return ours if share.only is None else and_(ours, instance.c.file_id == share.only)
