"""Tables without a key: loaded whole or not at all, whenever the load dies, and each row as often as the source has it.

Their changes are appended, or stop the task by name: see scenario.py for the seeds that have such a table.
"""

from __future__ import annotations

import pytest
from broken import Loads, MergingSink, PiecemealSink
from eye import SourceEye, TargetEye
from host import Host, Part
from house import House
from journal import Journal
from scenario import Blow, Scenario
from trial import trial
from truth import Difference

from disync.model.errors import BadConfig
from waiting import until

TRIES = 6
MIDDLE = 14
"""Passages before the blow, and three more at every try: the small pages of the load are being written then."""


def scenario(seed: int, blow: Blow, appends: bool = False) -> Scenario:
    return Scenario(seed, (blow,), 20, 7, 100, alters=False, appends=appends, keyless=True)


@pytest.mark.parametrize("appends", [False, True], ids=["replays", "appends"])
@pytest.mark.parametrize("blow", ["die before write", "die after write", "freeze before write", "freeze after write"])
def test_c18_a_load_that_dies_in_the_middle_is_there_once(shared: House, blow: str, appends: bool) -> None:
    what, _, where = blow.partition(" ")
    for seed in range(3):
        trial(shared, scenario(seed, Blow(what, where, MIDDLE + 3 * seed), appends))


@pytest.mark.parametrize("appends", [False, True], ids=["replays", "appends"])
@pytest.mark.parametrize("broken", [PiecemealSink, MergingSink], ids=["not emptied", "equal rows are one"])
def test_a_load_that_is_not_what_the_source_held_is_found_out(
    shared: House, broken: type[PiecemealSink | MergingSink], appends: bool
) -> None:
    said = "was loaded with|a row too many" if appends else "differs: "
    with pytest.raises(Difference, match=said):
        for seed in range(TRIES):
            trial(shared, scenario(seed, Blow("die", "after write", MIDDLE + 3 * seed), appends), Loads(broken))


@pytest.mark.parametrize("writers", [1, 3])
def test_c18_a_change_that_cannot_be_repeated_stops_the_task_by_name(shared: House, writers: int) -> None:
    """Nothing of its transaction is written, however often the task is started again; where several sessions write,
    nothing of that table."""
    name, source, target = f"keyless_{writers}", SourceEye(shared.source), TargetEye(shared.target)
    source.run(f"CREATE DATABASE {name}")
    source.run(f"CREATE TABLE {name}.k (id INT PRIMARY KEY)")
    source.run(f"CREATE TABLE {name}.t (a INT, b INT, UNIQUE (a))")
    source.run(f"INSERT INTO {name}.t VALUES (1, 1), (NULL, 2), (NULL, 2)")
    task_id = shared.start_task(name, 50, 100, writers=writers)

    def there() -> list[tuple[object, ...]]:
        return target.run(f"SELECT id FROM {name}.k ORDER BY id")

    def loaded() -> bool:
        made = target.run(f"SELECT to_regclass('{name}.t')") != [(None,)]
        return made and target.run(f"SELECT count(*) FROM {name}.t") == [(3,)]

    host = _begun(shared, task_id)
    try:
        until(loaded)
        source.run(f"INSERT INTO {name}.k VALUES (1)")
        until(lambda: there() == [(1,)])
        source.run("BEGIN")
        source.run(f"INSERT INTO {name}.k VALUES (2), (3), (4)")
        source.run(f"UPDATE {name}.t SET b = 3 WHERE a IS NULL LIMIT 1")
        source.run("COMMIT")
        source.run(f"INSERT INTO {name}.k VALUES (5)")
        for _ in range(2):
            failure = _stopped(host)
            assert isinstance(failure, BadConfig) and not failure.retry
            assert "Changes of t" in str(failure) and "Give it a primary key" in str(failure)
            assert there() == [(1,)] or writers > 1
            assert target.run(f"SELECT * FROM {name}.t ORDER BY b, a") == [(1, 1), (None, 2), (None, 2)]
            host = _begun(shared, task_id)
    finally:
        host.abandon()
        shared.end_task(task_id)
        source.run(f"DROP DATABASE {name}")
        target.run(f"DROP SCHEMA {name} CASCADE")
        source.close()
        target.close()


def _begun(house: House, task_id: int) -> Host:
    host = Host(house, task_id, Part(), Journal(), lambda _: None)
    host.begin()
    return host


def _stopped(host: Host) -> BaseException | None:
    until(lambda: host.failure is not None)
    host.abandon()
    return host.failure
