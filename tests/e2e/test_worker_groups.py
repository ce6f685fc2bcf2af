"""Workers on machines of their own, by resource group: a task moves between groups, a node is lost, none is left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from test_crash import World, check, total, until

import servers
from tcp_proxy import Proxy, proxy

FAR = ("--group", "far")


@pytest.fixture
def environment(tmp_path: Path, postgres_database: str) -> dict[str, str]:
    return {"DISYNC_STORE_URL": postgres_database, "DISYNC_KEY_FILE": str(tmp_path / "home" / "key")}


@pytest.fixture
def service(tmp_path: Path, environment: dict[str, str]) -> Iterator[servers.Service]:
    with servers.disync(tmp_path / "home", "--workers", "1", **environment) as running:
        yield running


def message(world: World) -> str:
    return str(world.task("GetDISyncInstanceInfo")["Data"].get("Message"))


def move(world: World, group: str) -> None:
    """As docs/operating.md says."""
    task: dict[str, Any] = {"TaskType": "DI_REALTIME", "FileId": world.file_id}
    asked = world.call("UpdateDISyncTask", **task, TaskParam=f'{{"ResourceGroup":"{group}"}}')
    assert asked["Data"]["Status"] == "success", asked
    for action in ("DeployDISyncTask", "StopDISyncInstance"):
        assert world.task(action)["Data"]["Status"] == "success"
    until(lambda: world.state() == "PAUSE")
    assert world.task("StartDISyncInstance")["Data"]["Status"] == "success"


def holds(station: servers.Station, world: World) -> bool:
    return any("run begins" in line and f"task={world.file_id} " in line for line in station.log.splitlines())


def answers(station: servers.Station, path: str) -> int:
    return urllib3.request("GET", f"http://{station.health}{path}", retries=False).status


def test_a_task_moves_to_a_group_a_node_is_lost_and_the_last_one_leaves(
    service: servers.Service, tmp_path: Path, environment: dict[str, str]
) -> None:
    world = World(service, "groups")
    until(lambda: world.state() == "RUN")
    world.publish(0, 2000)
    until(lambda: total(world.arrived()) == 2000)
    with servers.station(tmp_path / "a", *FAR, **environment) as first:
        move(world, "far")
        until(lambda: world.state() == "RUN")
        assert holds(first, world)
        until(lambda: answers(first, "/readyz") == 200)
        assert (answers(first, "/healthz"), answers(first, "/metrics")) == (200, 404)
        world.publish(2000, 4000)
        until(lambda: total(world.arrived()) == 4000)
        with servers.station(tmp_path / "b", *FAR, **environment) as second:
            first.process.kill()
            lost = time.monotonic()
            world.publish(4000, 6000)
            until(lambda: total(world.arrived()) == 6000)
            assert time.monotonic() - lost < 30, "a lease is 10 s long"
            assert holds(second, world)
            until(lambda: world.state() == "RUN")
            check(world, 6000, 1)
            second.process.terminate()
            assert second.process.wait(servers.STOP_SECONDS) == 0
    until(lambda: "No worker of the resource group far has taken this task" in message(world))
    assert world.state() == "WAIT"
    world.publish(6000, 7000)
    move(world, "group_default")
    until(lambda: total(world.arrived()) == 7000)
    check(world, 7000, 1)


def is_given_to(station: servers.Station, world: World) -> bool:
    """Start it, and stop it again where another worker was faster."""
    world.task("StartDISyncInstance")
    until(lambda: world.state() == "RUN")
    if holds(station, world):
        return True
    world.task("StopDISyncInstance")
    until(lambda: world.state() == "PAUSE")
    return False


def test_a_worker_that_comes_later_is_given_tasks_before_one_that_has_some_and_all_when_that_one_is_lost(
    service: servers.Service, tmp_path: Path, environment: dict[str, str]
) -> None:
    with servers.station(tmp_path / "a", *FAR, **environment) as first:
        worlds = [World(service, f"spread{number}", group="far") for number in range(8)]
        until(lambda: all(world.state() == "RUN" and holds(first, world) for world in worlds))
        waiting = worlds[4:]
        for world in waiting:
            world.task("StopDISyncInstance")
        until(lambda: all(world.state() == "PAUSE" for world in waiting))
        with servers.station(tmp_path / "b", *FAR, **environment) as second:
            until(lambda: answers(second, "/readyz") == 200)
            until(lambda: is_given_to(second, waiting[0]))  # who holds nothing is not given way to
            for world in waiting[1:]:
                world.task("StartDISyncInstance")
            until(lambda: all(world.state() == "RUN" for world in waiting))
            assert sum(holds(second, world) for world in waiting) >= 3, "turn by turn it would be 2 or 3"
            first.process.kill()
            for world in worlds:
                world.publish(0, 200)
            until(lambda: all(total(world.arrived()) == 200 for world in worlds))
            assert all(holds(second, world) for world in worlds)
            for world in worlds:
                check(world, 200, 1)


@contextmanager
def cut_off(folder: Path, environment: dict[str, str]) -> Iterator[tuple[servers.Station, Proxy]]:
    """A worker of the group `far`, and what lies between it and its store."""
    store = urllib3.util.parse_url(environment["DISYNC_STORE_URL"])
    with proxy(store.port or 0) as between:
        there = {**environment, "DISYNC_STORE_URL": store._replace(port=between.port).url}
        with servers.station(folder, *FAR, **there) as station:
            yield station, between


def test_a_worker_whose_store_answers_no_more_ends_its_runs_by_itself(
    service: servers.Service, tmp_path: Path, environment: dict[str, str]
) -> None:
    """As behind a network that was cut: every connection stays open, and nothing comes."""
    with cut_off(tmp_path / "a", environment) as (first, between):
        world = World(service, "cut", group="far")
        until(lambda: holds(first, world))
        world.publish(0, 1000)
        until(lambda: total(world.arrived()) == 1000)
        until(lambda: rests(environment["DISYNC_STORE_URL"]))
        between.silence()
        with servers.station(tmp_path / "b", *FAR, **environment) as second:
            until(lambda: "leases could not be renewed" in first.log and "run ends" in first.log)
            world.publish(1000, 2000)
            until(lambda: holds(second, world) and total(world.arrived()) == 2000)
            between.speak()
            world.publish(2000, 3000)
            until(lambda: total(world.arrived()) == 3000)
            check(world, 3000, 1)


def rests(store: str) -> bool:
    """Whether no position has been saved for a second: a run that waits for the answer to that cannot end by itself."""
    with psycopg.connect(store) as session:
        row = session.execute("SELECT max(updated_ms) < extract(epoch FROM now()) * 1000 - 1000 FROM checkpoint")
        return bool(row.fetchone() == (True,))


def test_a_worker_whose_store_answers_no_more_ends_when_it_is_asked(
    service: servers.Service, tmp_path: Path, environment: dict[str, str]
) -> None:
    with cut_off(tmp_path / "a", environment) as (first, between):
        until(lambda: answers(first, "/readyz") == 200)
        between.silence()
        until(lambda: answers(first, "/readyz") == 503)
        first.process.terminate()
        assert first.process.wait(servers.STOP_SECONDS) == 1
        assert "the store does not answer: this worker ends without it" in first.log


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DISYNC_KEY_FILE": "/nowhere/key"}, "There is no key file /nowhere/key: give the worker that of the server"),
        ({"DISYNC_STORE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The store does not work"),
    ],
)
def test_a_worker_that_cannot_work_says_why_in_one_line(
    service: servers.Service, tmp_path: Path, environment: dict[str, str], given: dict[str, str], said: str
) -> None:
    command = [sys.executable, "-m", "disync", "worker", "--home", str(tmp_path / "worker"), *FAR]
    ended = subprocess.run(
        command,
        env=servers.child_environment(**(environment | given)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert said in ended.stderr and ended.stderr.count("\n") == 1


def test_another_key_file_is_refused_before_any_task_is_taken(
    service: servers.Service, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "other").write_text("bm90IHRoZSBrZXkgb2YgdGhpcyBzdG9yZSBhdCBhbGw=\n")
    command = [sys.executable, "-m", "disync", "worker", "--home", str(tmp_path / "worker"), *FAR]
    given = environment | {"DISYNC_KEY_FILE": str(tmp_path / "other")}
    env = servers.child_environment(**given)
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and "which the key file does not have" in ended.stderr


def test_a_worker_waits_for_the_server_that_makes_the_tables(tmp_path: Path, environment: dict[str, str]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
    command = [sys.executable, "-m", "disync", "worker", "--home", str(tmp_path / "worker"), *FAR]
    env = servers.child_environment(**environment)
    with (tmp_path / "log").open("w") as log:
        waiting = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        until(lambda: "waiting for a server to set the store up" in (tmp_path / "log").read_text())
        with servers.disync(home, "--workers", "0", datahub=False, **environment):
            said = servers.Lines(waiting).after(["working for "], servers.START_SECONDS)
            assert said["working for "].startswith("far as ")
    finally:
        servers.stop(waiting)
