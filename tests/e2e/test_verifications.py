"""Verifications in the background of a real server, between a MariaDB and a PostgreSQL: what they find and mend, and
how they end when something ends them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGKILL, SIGTERM
from typing import Any

import psutil
import psycopg
import pytest
from shop import ROWS, World
from test_verify import PLANTED, spoil, stock_both, verify

import mysqld
import servers
from disync.gateway.client import Client
from disync.store import verifications as rows
from disync.store.database import open_store
from waiting import until


@pytest.fixture(scope="module")
def world(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        mysqld.server() as source,
        servers.database(postgres_url, "verifications") as target,
        servers.disync(tmp_path_factory.mktemp("home"), datahub=False) as service,
    ):
        stock_both(source)
        world = World(service, source, target)
        until(lambda: world.rows() == world.truth() and len(world.select("SELECT 1 FROM names")) == 500)
        yield world


def start(world: World, **more: str) -> int:
    data = world.call("StartDISyncVerification", FileId=world.file_id, **more)["Data"]
    assert data["Status"] == "success", data
    return int(data["VerificationId"])


def seen(world: World, verification_id: int) -> dict[str, Any]:
    found: dict[str, Any] = world.call("GetDISyncVerification", VerificationId=str(verification_id))["Data"]
    return found


def ended(world: World, verification_id: int, seconds: float = 90) -> dict[str, Any]:
    def over() -> bool:
        return bool(seen(world, verification_id)["State"] != "RUN")

    until(over, lambda: f"{seen(world, verification_id)} {world.service.log}", seconds)
    return seen(world, verification_id)


def listed(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.call("ListDISyncVerifications", FileId=world.file_id)["Data"]["Verifications"]
    return found


def planted(found: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (table["SourceTable"], row["What"], str(*json.loads(row["Key"]).values()), ",".join(row["Columns"]))
        for table in found["Tables"]
        for row in table["Findings"]
    }


def sides(found: dict[str, Any], table: str, key: object) -> tuple[Any, Any]:
    """What source and target have of a row."""
    (row,) = [
        row
        for each in found["Tables"]
        if each["SourceTable"] == table
        for row in each["Findings"]
        if list(json.loads(row["Key"]).values()) == [key]
    ]
    source_, target = (row[side] and json.loads(row[side]) for side in ("Source", "Target"))
    return source_, target


@contextmanager
def stuck(world: World) -> Iterator[int]:
    """A verification whose statement waits in the target for as long as this lasts; its id."""
    with psycopg.connect(world.target) as session:
        session.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        number = start(world)
        query = (
            "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted AND mode LIKE 'Access%'"
        )
        until(lambda: bool(session.execute(query.encode()).fetchone() != (0,)), lambda: world.service.log, 60)
        yield number


def process_of(world: World, verification_id: int) -> psutil.Process:
    (found,) = [
        child
        for child in psutil.Process(world.service.process.pid).children()
        if "verification" in child.cmdline() and str(verification_id) in child.cmdline()
    ]
    return found


def test_found_repaired_and_equal_then(world: World) -> None:
    spoil(world)
    found = ended(world, start(world))
    assert (found["State"], found["Differences"], found["Repaired"]) == ("DIFFERENT", 6, 0)
    assert planted(found) == PLANTED
    assert sides(found, "orders", 18) == ({"note": "silently"}, {"note": None})
    assert sides(found, "orders", -5) == (None, {"id": "-5", "name": "from nowhere", "amount": "1.00", "note": None})
    assert sides(found, "orders", 17) == ({"id": "17", "name": "name 17", "amount": "17.25", "note": None}, None)
    (orders,) = [table for table in found["Tables"] if table["SourceTable"] == "orders"]
    assert (orders["Missing"], orders["Extra"], orders["Different"], orders["Rows"]) == (2, 1, 1, ROWS + 1)
    assert (found["TableCount"], found["TablesDone"], found["Progress"]) == (2, 2, 100)
    assert found["Message"] == "6 rows differ."

    mended = ended(world, start(world, Repair="true"))
    assert (mended["State"], mended["Differences"], mended["Repaired"]) == ("REPAIRED", 0, 6)
    assert planted(mended) == PLANTED
    assert all(row["Repaired"] for table in mended["Tables"] for row in table["Findings"])
    assert {table["Result"] for table in mended["Tables"]} == {"REPAIRED"}
    assert world.rows() == world.truth()

    equal = ended(world, start(world, Tables='["names"]'))
    assert (equal["State"], equal["Chosen"], equal["TableCount"], equal["RowsCompared"]) == ("EQUAL", ["names"], 1, 500)
    events = world.call("ListDISyncInstanceEvents", FileId=world.file_id, EventType="VERIFY")["Data"]["Events"]
    told = [json.loads(event["Detail"]) for event in events]
    assert [one.get("state") or one["rows"] for one in told][:4] == ["EQUAL", "REPAIRED", 6, "DIFFERENT"]


def test_a_task_at_rest_is_not_repaired_before_it_runs(world: World) -> None:
    world.task("StopDISyncInstance")
    until(lambda: world.state() == "PAUSE")
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("DELETE FROM orders WHERE id = 21")
        target.execute("UPDATE names SET n = -n WHERE name = 'b4'")
    found = ended(world, start(world, Repair="true"))
    assert (found["State"], found["Differences"], found["Repaired"]) == ("DIFFERENT", 2, 0)
    assert "written again at the beginning of the task's next run: verify it then" in found["Message"]
    world.task("StartDISyncInstance")
    until(lambda: world.rows() == world.truth())
    until(lambda: ended(world, start(world))["State"] == "EQUAL")


def test_what_cannot_be_compared_says_why(world: World) -> None:
    found = ended(world, start(world, Tables='["nobody"]'))
    assert (found["State"], found["Tables"]) == ("FAIL", [])
    assert found["Message"] == "The task reads no table named nobody. Name one of its source's tables."
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("ALTER TABLE names RENAME TO gone")
        found = ended(world, start(world))
        target.execute("ALTER TABLE gone RENAME TO names")
    results = {table["SourceTable"]: table["Result"] for table in found["Tables"]}
    assert (found["State"], results) == ("FAIL", {"names": "FAIL", "orders": "EQUAL"})
    assert found["Message"].startswith("names: ")


def test_the_command_line_does_the_same_and_takes_turns(world: World) -> None:
    assert verify(world).returncode == 0
    told = listed(world)[0]
    assert (told["State"], told["User"], told["TablesDone"]) == ("EQUAL", "root", 2)
    with stuck(world) as number:
        refused = verify(world)
        assert refused.returncode == 2, refused.stderr
        assert (
            f"Verification {number} of this task is still running: wait until it has ended, or stop it."
            in refused.stderr
        )
        again = world.call("StartDISyncVerification", FileId=world.file_id)["Data"]
        assert again["Status"] == "fail" and f"Verification {number} of this task" in again["Message"]
    assert ended(world, number)["State"] == "EQUAL"
    assert verify(world, "--table", "nobody").returncode == 2
    assert [told["State"] for told in listed(world)][:3] == ["FAIL", "EQUAL", "EQUAL"]
    events = world.call("ListAuditEvents", AuditAction="StartDISyncVerification")["Data"]["Events"]
    assert [(event["Door"], event["Code"]) for event in events][:5] == [
        *(("cli", "OK"), ("api", "Invalid.Operation"), ("cli", "Invalid.Operation"), ("api", "OK"), ("cli", "OK")),
    ]


def test_the_lease_is_renewed_in_the_middle_of_a_statement(world: World) -> None:
    store = open_store(world.service.home)

    def lease(number: int) -> int:
        with store.read() as db:
            return int(rows.get(db, number).until_ms)

    with stuck(world) as number:
        first = lease(number)
        until(lambda: lease(number) != first)
        second = lease(number)
        until(lambda: lease(number) > second)
        assert seen(world, number)["State"] == "RUN"
    store.close()
    assert ended(world, number)["State"] == "EQUAL"


def test_one_that_is_stopped_ends_in_the_middle_of_a_statement(world: World) -> None:
    with stuck(world) as number:
        child = process_of(world, number)
        assert world.call("StopDISyncVerification", VerificationId=str(number))["Data"]["Status"] == "success"
        assert seen(world, number)["State"] == "STOPPED"
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    told = seen(world, number)
    assert (told["State"], told["Message"]) == ("STOPPED", "Stopped by root.")
    with stuck(world) as number:
        stopped = verify(world, "--stop")
        assert stopped.returncode == 0, stopped.stderr
        assert stopped.stdout == f"Verification {number} is stopped.\n"
    assert verify(world, "--stop").returncode == 2
    assert ended(world, start(world))["State"] == "EQUAL"


def test_one_whose_process_is_killed_says_so_and_frees_its_place(world: World) -> None:
    with stuck(world) as number:
        process_of(world, number).kill()
        found = ended(world, number)
    assert found["State"] == "FAIL"
    assert found["Message"] == "Its process ended before it was done: killed by SIGKILL. Start it again."
    assert ended(world, start(world))["State"] == "EQUAL"


def test_it_ends_with_the_server(world: World) -> None:
    """The last test: it stops the server, and kills the next one."""
    number = interrupted(world, kill=False)
    with servers.disync(world.service.home, datahub=False) as service:
        next_ = copy.copy(world)
        next_.service, next_.api = service, Client(f"http://{service.address}", *service.key)
        told = seen(next_, number)
        assert (told["State"], told["Message"]) == (
            "FAIL",
            "The server was stopped before it had ended. Start it again.",
        )
        assert told["EndTime"] is not None
        number = interrupted(next_, kill=True)
    store = open_store(world.service.home)
    with store.read() as db:
        row = rows.get(db, number)
    store.close()
    assert row.state == "RUN" and row.holder, "nobody was left to say that it has failed: the end of its lease does"


def interrupted(world: World, kill: bool) -> int:
    """The id of a verification that was at work when the server was ended, and whose process has ended with it."""
    with stuck(world) as number:
        child = process_of(world, number)
        world.service.process.send_signal(SIGKILL if kill else SIGTERM)
        world.service.process.wait(12)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    return number
