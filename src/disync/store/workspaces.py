"""Rows of `workspace` and `member`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from disync.store.schema import member, user, workspace


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(workspace).values(**values).returning(workspace.c.id)).scalar_one())


def get(db: Connection, workspace_id: int) -> Any:
    return db.execute(select(workspace).where(workspace.c.id == workspace_id)).one_or_none()


def named(db: Connection, identifier: str) -> Any:
    return db.execute(select(workspace).where(workspace.c.identifier == identifier)).one_or_none()


def page(db: Connection, user_id: str | None, offset: int, limit: int | None) -> tuple[int, list[Any]]:
    """(how many in all, this page) of the workspaces that `user_id` is a member of; None: of all."""
    query: Select[Any] = select(workspace)
    if user_id is not None:
        query = query.join(member, member.c.workspace_id == workspace.c.id).where(member.c.user_id == user_id)
    total = db.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return total, list(db.execute(query.order_by(workspace.c.id).offset(offset).limit(limit)))


def role(db: Connection, workspace_id: int, user_id: str) -> str | None:
    found = select(member.c.role).where(member.c.workspace_id == workspace_id, member.c.user_id == user_id)
    return db.execute(found).scalar_one_or_none()


def has_role(db: Connection, user_id: str, roles: Sequence[str]) -> bool:
    """Whether the user has one of the roles in any workspace."""
    found = select(member.c.role).where(member.c.user_id == user_id, member.c.role.in_(roles))
    return db.execute(found.limit(1)).first() is not None


def set_role(db: Connection, workspace_id: int, user_id: str, given: str) -> None:
    mine = (member.c.workspace_id == workspace_id) & (member.c.user_id == user_id)
    if db.execute(update(member).where(mine).values(role=given)).rowcount == 0:
        db.execute(insert(member).values(workspace_id=workspace_id, user_id=user_id, role=given))


def remove_role(db: Connection, workspace_id: int, user_id: str) -> bool:
    mine = (member.c.workspace_id == workspace_id) & (member.c.user_id == user_id)
    return db.execute(delete(member).where(mine)).rowcount == 1


def owners(db: Connection, workspace_id: int) -> list[str]:
    """Locked until the transaction ends, so that two of them do not leave at once."""
    mine = (member.c.workspace_id == workspace_id) & (member.c.role == "owner")
    return list(db.execute(select(member.c.user_id).where(mine).with_for_update()).scalars())


def members(db: Connection, workspace_id: int) -> list[Any]:
    query = select(member.c.user_id, user.c.name, user.c.root, member.c.role).join(user, user.c.id == member.c.user_id)
    return list(db.execute(query.where(member.c.workspace_id == workspace_id).order_by(member.c.user_id)))
