"""Rows of `lending`, `seat` and `lent`: parts of a full load that other workers read.

Whatever speaks for the run, or for a seat of it, first locks the task's row of `instance` (`instances.is_current`), so
that nobody saves for a seat that is being given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from disync.model.data import Table
from disync.model.run import Split
from disync.store.instances import GROUP
from disync.store.schema import deployment, instance, lending, lent, load_split, seat
from disync.store.shares import Share, served


def open_(db: Connection, file_id: int, epoch: int, seats: int, mark: str) -> None:
    """The run of this epoch has so many seats for those who have its mark; earlier ones are gone."""
    close(db, file_id)
    db.execute(insert(lending).values(file_id=file_id, epoch=epoch, seats=seats, mark=mark))


def shut(db: Connection, file_id: int) -> None:
    """Nobody takes a seat any more."""
    db.execute(update(lending).where(lending.c.file_id == file_id).values(seats=0))


def close(db: Connection, file_id: int) -> None:
    for table in (lent, seat, lending):
        db.execute(delete(table).where(table.c.file_id == file_id))


def seats(db: Connection, file_id: int) -> Sequence[Any]:
    return db.execute(select(seat.c.seat, seat.c.lease_until_ms).where(seat.c.file_id == file_id)).all()


def lent_out(db: Connection, file_id: int) -> Sequence[Any]:
    return db.execute(select(lent).where(lent.c.file_id == file_id)).all()


def take_back(db: Connection, file_id: int, splits: Collection[str], silent: Collection[str]) -> None:
    """Forget these parts, and the seats of workers that are `silent`."""
    db.execute(delete(seat).where(seat.c.file_id == file_id, seat.c.seat.in_(silent)))
    db.execute(delete(lent).where(lent.c.file_id == file_id, lent.c.split.in_(splits)))


def lend(db: Connection, file_id: int, parts: Mapping[str, str]) -> None:
    """`parts`: the seat of each split."""
    rows = [{"file_id": file_id, "split": split, "seat": to} for split, to in parts.items()]
    if rows:
        db.execute(insert(lent), rows)


# What helpers ask.


def open_to(db: Connection, worker: str, now_ms: int, share: Share) -> list[tuple[int, int]]:
    """Tasks of this share whose runs have a seat left that this worker may take, and the epochs of these."""
    query = _offered(select(lending.c.file_id, lending.c.epoch), now_ms, share.devoted)
    wanted = query.where(instance.c.worker != worker, served(share))
    return [(row.file_id, row.epoch) for row in db.execute(wanted)]


def free(db: Connection, now_ms: int) -> Counter[str]:
    """By resource group: the seats that nobody has taken, for those who are devoted."""
    found: Counter[str] = Counter()
    for group, seats in db.execute(_offered(select(GROUP, lending.c.seats - _TAKEN), now_ms, devoted=True)):
        found[group] += seats
    return found


def sitting(db: Connection) -> set[str]:
    """The workers who have a seat."""
    return set(db.scalars(select(seat.c.worker)))


_TAKEN = select(func.count()).where(seat.c.file_id == lending.c.file_id).scalar_subquery()


def _offered(query: Select[Any], now_ms: int, devoted: bool) -> Select[Any]:
    """Of the runs that go on and have a seat left."""
    alive = (instance.c.epoch == lending.c.epoch) & (instance.c.lease_until_ms > now_ms) & (instance.c.desired == "RUN")
    query = query.select_from(lending).join(instance, instance.c.file_id == lending.c.file_id)
    query = query.outerjoin(deployment, deployment.c.file_id == lending.c.file_id)
    return query.where(alive, lending.c.seats - _own(devoted) > _TAKEN)


def _own(devoted: bool) -> int:
    """Of a run's channels, those that are its own in any case. Its worker would be idle while another one reads all;
    what is read on CPUs that are there for nothing else is better read there, since its worker has streams as well."""
    return 0 if devoted else 1


def sit(db: Connection, file_id: int, name: str, worker: str, until_ms: int, devoted: bool) -> bool:
    """Take a seat; False where there is none. No worker has more seats than it leaves to the run itself, and the last
    one is only for those who are `devoted`: that have no runs of their own, and a CPU for this."""
    row = db.execute(select(lending).where(lending.c.file_id == file_id).with_for_update()).one_or_none()
    taken = list(db.scalars(select(seat.c.worker).where(seat.c.file_id == file_id)))
    left = row.seats - _own(devoted) - len(taken) if row is not None else 0
    if row is None or left <= 0 or taken.count(worker) >= left:
        return False
    db.execute(insert(seat).values(file_id=file_id, seat=name, epoch=row.epoch, worker=worker, lease_until_ms=until_ms))
    return True


def mark(db: Connection, file_id: int, epoch: int) -> str:
    """By which those know each other who read for the run of this epoch; "" where there is no such run."""
    mine = (lending.c.file_id == file_id) & (lending.c.epoch == epoch)
    return db.execute(select(lending.c.mark).where(mine)).scalar_one_or_none() or ""


def held(db: Connection, worker: str) -> Sequence[Any]:
    """The seats of a worker whose runs want it: those that have something for it, or may have."""
    something = select(lent.c.split).where(lent.c.file_id == seat.c.file_id, lent.c.seat == seat.c.seat).exists()
    query = select(seat.c.seat, seat.c.lease_until_ms).join(instance, instance.c.file_id == seat.c.file_id)
    query = query.join(lending, lending.c.file_id == seat.c.file_id)
    runs = (instance.c.epoch == seat.c.epoch) & (instance.c.desired == "RUN") & (instance.c.recalled != seat.c.epoch)
    wanted = query.where(seat.c.worker == worker, runs, (lending.c.seats > 0) | something)
    return db.execute(wanted).all()


def renew(db: Connection, worker: str, until_ms: int) -> None:
    db.execute(update(seat).where(seat.c.worker == worker).values(lease_until_ms=until_ms))


def sits(db: Connection, file_id: int, name: str) -> bool:
    return (
        db.execute(select(seat.c.seat).where(seat.c.file_id == file_id, seat.c.seat == name)).one_or_none() is not None
    )


def given(db: Connection, file_id: int, name: str) -> list[Split]:
    """What a seat is to read; of each part's table only the name."""
    cut = (load_split.c.file_id == lent.c.file_id) & (load_split.c.split == lent.c.split)
    query = select(load_split).join(lent, cut).where(lent.c.file_id == file_id, lent.c.seat == name, lent.c.back == "")
    rows = db.execute(query.order_by(load_split.c.number))
    return [Split(r.split, Table(r.table_name), r.at, bounds=r.bounds, stream=r.stream) for r in rows]


def give_back(db: Connection, file_id: int, name: str, split: str, back: str, reason: str) -> None:
    mine = (lent.c.file_id == file_id) & (lent.c.seat == name) & (lent.c.split == split)
    db.execute(update(lent).where(mine).values(back=back, reason=reason))


def leave(db: Connection, file_id: int, name: str, back: str) -> None:
    """Nobody sits there any more; what was not read comes `back`."""
    mine = (lent.c.file_id == file_id) & (lent.c.seat == name) & (lent.c.back == "")
    db.execute(update(lent).where(mine).values(back=back))
    db.execute(delete(seat).where(seat.c.file_id == file_id, seat.c.seat == name))
