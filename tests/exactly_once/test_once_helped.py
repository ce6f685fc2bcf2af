"""A full load that several worker processes read: one of them is killed, or sleeps for too long, and nothing is lost or
there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eye import SourceEye, TargetEye
from house import House
from sqlalchemy import func, select

from disync.store import instances
from disync.store.schema import lent, seat
from waiting import until

TABLES = 32
KEYLESS = 8
"""One of so many has no key: it is one part, of which nothing may be left when whoever reads it is gone. These do not
change."""
ROWS, FEW_ROWS = 20_000, 2_000
"""Every fourth table with a key has few, and so its key before the first of them; the others get theirs at the end."""
CHANNELS = 4
READ_ROWS, FEWER_READ_ROWS = 20, 5
"""Small pages, so that there is time to strike; the smaller ones where all helpers are to have come before the load is
over, also on a fast machine."""

Crew = Callable[..., "Member"]


class Member:
    """A process: a worker, as `disync serve` starts them, or, where it is given a name, one that only helps."""

    def __init__(self, house: House, devoted: str = "") -> None:
        home = str(house.home)
        command = [sys.executable, "-m", "disync.worker", "--home", home, "--parent", str(os.getpid())]
        if devoted:
            command = [sys.executable, str(Path(__file__).with_name("devoted.py")), home, devoted]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE if devoted else None)
        if self.process.stdout is not None:
            with self.process.stdout as said:
                assert said.readline()
        self.name = devoted or f"{os.uname().nodename}-{self.process.pid}"

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


class Load:
    """A task whose load takes some seconds, of tables that are changed all the while."""

    def __init__(self, house: House, name: str, read_rows: int) -> None:
        self.house, self.name = house, name
        self.source, self.target = SourceEye(house.source), TargetEye(house.target)
        self.source.run(f"CREATE DATABASE {name}")
        for table in (*self.keyed, *self.keyless):
            key, twice = ("", " DIV 2") if table in self.keyless else (" PRIMARY KEY", "")
            rows = FEW_ROWS if table in self.keyed[::4] else ROWS
            self.source.run(f"CREATE TABLE {table} (id INT{key}, v VARCHAR(40))")
            self.source.run(
                f"INSERT INTO {table} SELECT seq{twice}, CONCAT('row ', seq{twice}) FROM {name}.seq_1_to_{rows}"
            )
            self.source.run(f"ANALYZE TABLE {table}")
        self.task_id = house.start_task(name, read_rows, 1000, speed={"concurrent": CHANNELS})
        self._over = threading.Event()
        self._busy = threading.Thread(target=self._change, daemon=True)
        self._busy.start()

    def make_targets(self) -> None:
        """Somebody else has made the tables with a key, so that each has it from the first row on."""
        self.target.run(f"CREATE SCHEMA {self.name}")
        for table in self.keyed:
            self.target.run(f"CREATE TABLE {table} (id integer PRIMARY KEY, v varchar(40))")

    @property
    def keyed(self) -> list[str]:
        return [f"{self.name}.t{number}" for number in range(TABLES) if number % KEYLESS]

    @property
    def keyless(self) -> list[str]:
        return [f"{self.name}.t{number}" for number in range(0, TABLES, KEYLESS)]

    def _change(self) -> None:
        eye, number = SourceEye(self.house.source), 0
        while not self._over.wait(0.005):
            number += 1
            table, key = self.keyed[number % len(self.keyed)], number * 37 % ROWS
            eye.run(f"UPDATE {table} SET v = 'changed {number}' WHERE id = {key}")
            eye.run(f"DELETE FROM {table} WHERE id = {key + 1}")
            eye.run(f"INSERT INTO {table} VALUES ({ROWS + number}, 'new')")
        eye.close()

    def owner(self) -> str | None:
        with self.house.services.store.read() as db:
            return str(instances.get(db, self.task_id).worker)

    def failovers(self) -> int:
        with self.house.services.store.read() as db:
            return instances.failovers(db, [self.task_id]).get(self.task_id, 0)

    def freeze(self, member: Member) -> None:
        """Not in the middle of a write to the store: as long as that is not over, nobody else can write a file."""
        member.signal(signal.SIGSTOP)
        while self.house.services.store.unwritable():
            member.signal(signal.SIGCONT)
            threading.Event().wait(0.05)
            member.signal(signal.SIGSTOP)

    def lent_to(self, worker: str) -> int:
        """How many parts a worker has in its hands."""
        query = select(func.count()).select_from(lent).join(seat, seat.c.seat == lent.c.seat)
        with self.house.services.store.read() as db:
            return int(db.execute(query.where(seat.c.worker == worker, lent.c.back == "")).scalar_one())

    def done_by(self, worker: str) -> int:
        query = select(func.count()).select_from(lent).join(seat, seat.c.seat == lent.c.seat)
        with self.house.services.store.read() as db:
            return int(db.execute(query.where(seat.c.worker == worker, lent.c.back == "done")).scalar_one())

    def seats(self) -> int:
        """Those that are taken."""
        query = select(func.count()).select_from(seat).where(seat.c.file_id == self.task_id)
        with self.house.services.store.read() as db:
            return int(db.execute(query).scalar_one())

    def equal(self) -> None:
        """Stop changing, and wait until the target is what the source is."""
        self._over.set()
        self._busy.join()
        wanted = {t: Counter(self.source.run(f"SELECT id, v FROM {t}")) for t in (*self.keyed, *self.keyless)}

        def there(table: str) -> Counter[tuple[object, ...]]:
            rows = Counter(self.target.run(f"SELECT id, v FROM {table}"))
            assert max(rows.values(), default=0) <= max(wanted[table].values()), f"{table} has rows twice"
            return rows

        def differs() -> list[str]:
            known = self.target.run(f"SELECT tablename FROM pg_tables WHERE schemaname = '{self.name}'")
            missing = {table for table in wanted if (table.split(".")[1],) not in known}
            return [table for table in wanted if table in missing or there(table) != wanted[table]]

        until(lambda: not differs(), lambda: str(differs()), 90)

    def end(self) -> None:
        self._over.set()
        self.house.end_task(self.task_id)
        self.source.run(f"DROP DATABASE {self.name}")
        self.target.run(f"DROP SCHEMA IF EXISTS {self.name} CASCADE")
        self.source.close()
        self.target.close()


@pytest.fixture
def crew(shared: House) -> Iterator[Crew]:
    members: list[Member] = []

    def hire(devoted: str = "") -> Member:
        members.append(Member(shared, devoted))
        return members[-1]

    yield hire
    for member in members:
        if member.process.poll() is None:
            member.signal(signal.SIGCONT)
            member.signal(signal.SIGTERM)
    for member in members:
        member.process.wait(30)


@pytest.fixture
def load(shared: House, request: pytest.FixtureRequest) -> Iterator[Load]:
    name = request.node.originalname.removeprefix("test_")[:40]
    made = Load(shared, name, getattr(request, "param", READ_ROWS))
    yield made
    made.end()


def begun(load: Load, crew: Crew) -> tuple[Member, Member]:
    """One worker has the task, and the other one reads for it."""
    owner = crew()
    until(lambda: load.owner() == owner.name)
    helper = crew()
    until(lambda: load.lent_to(helper.name) > 0)
    return owner, helper


def test_a_helper_reads_and_ends_in_order(load: Load, crew: Crew) -> None:
    _, helper = begun(load, crew)
    until(lambda: load.done_by(helper.name) > 0)
    until(lambda: load.lent_to(helper.name) > 0)
    helper.signal(signal.SIGTERM)
    assert helper.process.wait(10) == 0
    load.equal()
    assert load.failovers() == 0


@pytest.mark.parametrize("load", [FEWER_READ_ROWS], indirect=True, ids=["smaller pages"])
def test_those_who_only_help_read_with_all_channels(load: Load, crew: Crew) -> None:
    """The run itself reads nothing any more, and ends what they have read."""
    helpers = [crew(f"helper {number}") for number in range(CHANNELS)]
    owner = crew()
    until(lambda: load.seats() == CHANNELS)
    assert load.owner() == owner.name
    idle = {helper.name for helper in helpers}

    def all_read() -> bool:
        idle.difference_update([name for name in idle if load.lent_to(name) > 0])
        return not idle

    until(all_read)
    load.equal()
    assert load.failovers() == 0


def test_a_helper_is_killed(load: Load, crew: Crew) -> None:
    _, helper = begun(load, crew)
    helper.signal(signal.SIGKILL)
    load.equal()
    assert load.failovers() == 0, "its death is no failure of the task"


def test_whoever_has_the_task_is_killed(load: Load, crew: Crew) -> None:
    owner, helper = begun(load, crew)
    owner.signal(signal.SIGKILL)
    owner.process.wait()
    load.house.replaced(owner.name, load.task_id)
    load.equal()
    assert load.owner() == helper.name


def test_a_helper_sleeps_until_its_rows_are_gone(load: Load, crew: Crew) -> None:
    """It wakes with rows in its hands that the log has told to be gone, and that others have read past."""
    _, helper = begun(load, crew)
    load.freeze(helper)
    for table in load.keyed:
        load.source.run(f"DELETE FROM {table} WHERE id % 3 = 0")
    until(lambda: load.lent_to(helper.name) == 0, seconds=60)
    load.equal()
    helper.signal(signal.SIGCONT)
    threading.Event().wait(3)
    load.equal()


def asleep_in_copy(load: Load, member: Member, helps: bool) -> None:
    """It has sent rows that are not committed, and whose keys are in the table (the server takes a thousand at once):
    who sends them, too, waits for it."""
    sends = (
        "SELECT count(*) FROM pg_stat_progress_copy JOIN pg_stat_activity a USING (pid) WHERE tuples_processed > 2000 "
        f"AND wait_event = 'ClientRead' AND application_name {'NOT ' * helps}LIKE 'disync %.%.'"
    )

    def stands() -> bool:
        load.freeze(member)
        threading.Event().wait(0.2)
        if load.target.run(sends)[0][0]:
            return True
        member.signal(signal.SIGCONT)
        return False

    until(stands)


def test_a_helper_sleeps_with_rows_that_it_has_sent(load: Load, crew: Crew) -> None:
    load.make_targets()
    _, helper = begun(load, crew)
    asleep_in_copy(load, helper, helps=True)
    load.equal()
    helper.signal(signal.SIGCONT)
    threading.Event().wait(3)
    load.equal()


def test_the_owner_sleeps_with_rows_that_it_has_sent(load: Load, crew: Crew) -> None:
    load.make_targets()
    owner, _ = begun(load, crew)
    asleep_in_copy(load, owner, helps=False)
    load.house.replaced(owner.name, load.task_id)
    load.equal()
    owner.signal(signal.SIGCONT)
    threading.Event().wait(3)
    load.equal()
