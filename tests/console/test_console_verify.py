"""Something is broken: it is seen at the console, with the reason, and mended there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, Route, expect
from psycopg.conninfo import conninfo_to_dict
from test_console_tasks import JOB
from visiting import Visit

import mysqld
import servers
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from waiting import until

SPEC = Spec.load()
ROWS = 300
SECONDS = 60_000
HOSTILE = "<img src=x onerror=document.title='hit'>"


class Shop:
    """A running task from a MariaDB to a PostgreSQL, which stops at the first row that is refused."""

    def __init__(self, service: servers.Service, source: mysqld.Server, target: str) -> None:
        self.source, self.target = source, target
        self._api = Client(f"http://{service.address}", *service.key)
        at = conninfo_to_dict(target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        there = {"jdbcUrl": url, "username": at["user"], "password": "", "tag": "public"}
        for name, kind, content in (
            ("shop_source", "mysql", source.content("shop")),
            ("shop_target", "postgresql", there),
        ):
            self.call("CreateDataSource", Name=name, DataSourceType=kind, EnvType="1", Content=json.dumps(content))
        self.file_id = str(self.call("CreateDISyncTask", TaskName="shop", TaskContent=json.dumps(JOB))["FileId"])
        self.call("DeployDISyncTask", FileId=self.file_id)
        self.call("StartDISyncInstance", FileId=self.file_id, StartParam='{"errorLimit":{"record":"0"}}')

    def call(self, action: str, **parameters: str) -> Any:
        operation = SPEC.operations[action]
        usual = {"ProjectId": "10000", "TaskType": "DI_REALTIME"}
        named = {one.name: usual[one.name] for one in operation.parameters if one.name in usual}
        answer = self._api.call(operation, named | parameters)["Data"]
        assert not isinstance(answer, dict) or answer.get("Status") != "fail", answer
        return answer

    def change(self, *statements: str) -> None:
        """Change the target behind the task's back."""
        with psycopg.connect(self.target, autocommit=True) as session:
            for statement in statements:
                session.execute(statement.encode())

    def rows(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.target) as session:
            try:
                return session.execute("SELECT id, name FROM orders ORDER BY id").fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def truth(self) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.source.run("SELECT id, name FROM shop.orders ORDER BY id")]

    @property
    def equal(self) -> bool:
        return self.rows() == self.truth()


@pytest.fixture(scope="module")
def shop(service: servers.Service) -> Iterator[Shop]:
    with mysqld.server() as source, servers.postgres() as target:
        source.run("CREATE DATABASE shop")
        for table in ("orders", "items"):
            source.run(f"CREATE TABLE shop.{table} (id INT PRIMARY KEY, name VARCHAR(60))")
            source.run(f"INSERT INTO shop.{table} SELECT seq, CONCAT('name ', seq) FROM shop.seq_1_to_{ROWS}")
        shop = Shop(service, source, target)
        until(lambda: shop.equal)
        yield shop


def press(page: Page, name: str, within: str = "main") -> None:
    """By keyboard alone."""
    button = page.locator(within).get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_what_differs_is_found_shown_and_repaired(visit: Visit, shop: Shop) -> None:
    until(lambda: shop.call("GetDISyncInstanceInfo", FileId=shop.file_id)["Status"] == "RUN")
    shop.change(
        "DELETE FROM orders WHERE id = 17",
        f"UPDATE orders SET name = '{HOSTILE.replace(chr(39), chr(39) * 2)}' WHERE id = 18",
        "INSERT INTO orders VALUES (-5, NULL)",
    )
    visit.sign_in()
    page = visit.open(f"tasks/{shop.file_id}/verify")
    expect(page.get_by_text("Nothing has been compared yet.")).to_be_visible()
    press(page, "Verify")
    press(page, "Verify", "dialog")
    one = page.locator("section.verification")
    expect(one.locator(".title .badge")).to_have_text("Different", timeout=SECONDS)
    expect(one.get_by_role("status")).to_have_text("3 rows differ.")
    expect(one.get_by_role("row", name="public.orders")).to_contain_text("Different")
    expect(one.get_by_role("row", name="public.items")).to_contain_text("Equal")
    found = page.get_by_role("table", name="What differs in orders")
    expect(found.get_by_role("row", name='{"id":17}')).to_contain_text("missing in the target")
    expect(found.get_by_role("row", name='{"id":17}')).to_contain_text("no such row")
    expect(found.get_by_role("row", name='{"id":-5}')).to_contain_text("only in the target")
    cells = found.get_by_role("row", name='{"id":18}').get_by_role("cell")
    expect(cells.nth(2)).to_have_text("namename 18")
    expect(cells.nth(3)).to_have_text(f"name{HOSTILE}")
    assert page.locator("main img").count() == 0 and "hit" not in page.title()
    page.set_viewport_size({"width": 390, "height": 844})
    across = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(across) <= 0
    expect(found.get_by_role("row", name='{"id":18}')).to_be_visible()

    press(page, "Repair")
    dialog = page.get_by_role("dialog", name="Repair what differs?")
    expect(dialog).to_contain_text("now 3 rows")
    press(page, "Repair", "dialog")
    expect(dialog).to_be_hidden()
    expect(one.locator(".title .badge")).to_have_text("Repaired", timeout=SECONDS)
    expect(found.get_by_role("row", name='{"id":18}')).to_contain_text("Repaired")
    assert shop.equal

    page.set_viewport_size({"width": 1280, "height": 800})
    press(page, "Verify")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Which tables").select_option("some")
    expect(dialog.get_by_role("button", name="Verify")).to_be_disabled()
    dialog.get_by_role("checkbox", name="Select orders").check()
    dialog.get_by_role("button", name="Verify").click()
    expect(one.get_by_role("status")).to_have_text("Source and target are equal.", timeout=SECONDS)
    expect(one.get_by_role("row", name="public.orders")).to_contain_text("Equal")
    expect(one.get_by_role("row", name="public.items")).to_have_count(0)
    told = page.get_by_role("table", name="Verifications")
    expect(told.locator("tbody tr .badge")).to_have_text(["Equal", "Repaired", "Different"])
    told.get_by_role("button", name="Show verification").last.click()
    expect(one.locator(".title .badge")).to_have_text("Different")
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_role("row", name="VERIFY").first).to_contain_text("Source and target are equal.")
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_one_that_runs_is_stopped(visit: Visit, shop: Shop) -> None:
    visit.sign_in()
    page = visit.open(f"tasks/{shop.file_id}/verify")
    one = page.locator("section.verification")
    with psycopg.connect(shop.target) as session:
        session.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        press(page, "Verify")
        press(page, "Verify", "dialog")
        expect(one.locator(".title .badge")).to_have_text("Running", timeout=SECONDS)
        press(page, "Stop verification")
        expect(one.locator(".title .badge")).to_have_text("Stopped")
        expect(one.get_by_role("status")).to_have_text("Stopped by root.")
        expect(page.get_by_role("button", name="Stop verification")).to_have_count(0)
        told = page.get_by_role("table", name="Verifications")
        expect(told.locator("tbody tr .badge").first).to_have_text("Stopped")
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_answers_that_take_longer_than_the_page_waits_between_them_are_shown(visit: Visit, shop: Shop) -> None:
    """Of a slow server: one look at a time, and each answer is taken."""
    visit.sign_in()
    page = visit.page
    waiting: list[Route] = []
    most = 0

    def slow(route: Route) -> None:
        nonlocal most
        if "ListDISyncInstances" not in (route.request.post_data or ""):
            route.continue_()
            return
        waiting.append(route)
        most = max(most, len(waiting))

    page.route("**/console/call", slow)
    page.clock.install()
    visit.open(f"tasks/{shop.file_id}/verify")
    until(lambda: bool(page.wait_for_timeout(50) or waiting))
    page.clock.run_for(9_000)  # four more looks were due
    page.unroute("**/console/call")  # what waits goes on
    expect(page.get_by_role("heading", name="shop", level=1)).to_be_visible()
    assert most == 1


def test_a_task_that_stands_says_why_and_goes_on_when_it_is_mended(visit: Visit, shop: Shop) -> None:
    shop.change("ALTER TABLE orders ADD CONSTRAINT few CHECK (id < 1000)")
    shop.source.run("INSERT INTO shop.orders VALUES (2000, 'too many')")
    visit.sign_in()
    page = visit.open(f"tasks/{shop.file_id}/dirty")
    expect(page.locator(".title .badge")).to_have_text("Stopped", timeout=SECONDS)
    expect(page.get_by_text("Why:")).to_be_visible()
    expect(page.locator(".fault[role=status]")).to_contain_text("refused")
    refused = page.get_by_role("table", name="Dirty rows")
    expect(refused.get_by_role("row", name="2000")).to_contain_text("few")
    expect(refused.get_by_role("row", name="2000")).to_contain_text("Refused")

    shop.change("ALTER TABLE orders DROP CONSTRAINT few")
    press(page, "Replay all")
    expect(page.get_by_text("the task begins with them at its next start").first).to_be_visible()
    expect(refused.get_by_role("row", name="2000")).to_contain_text("To be replayed")
    press(page, "Start")
    press(page, "Start", "dialog")
    expect(page.locator(".title .badge")).to_have_text("Running", timeout=SECONDS)
    expect(refused.get_by_role("row", name="2000")).to_contain_text("Replayed", timeout=SECONDS)
    expect(page.get_by_text("Why:")).to_be_hidden()
    shop.source.run("INSERT INTO shop.orders VALUES (2001, 'goes on')")
    until(lambda: shop.equal)
    assert visit.wrong == [], "\n".join(visit.wrong)


@pytest.mark.parametrize("visit", ["narrow:zh-CN"], indirect=True)
def test_a_pair_that_cannot_be_verified_says_so_in_words(visit: Visit, shop: Shop) -> None:
    content = {"endpoint": "http://127.0.0.1:1", "project": "p", "accessId": "a", "accessKey": "s", "tag": "public"}
    shop.call("CreateDataSource", Name="hub", DataSourceType="datahub", EnvType="1", Content=json.dumps(content))
    steps = [
        {"name": name, "stepType": "datahub", "parameter": {"datasource": "hub", "topic": name}} for name in ("a", "b")
    ]
    code = json.dumps({"steps": steps, "order": {"hops": [{"from": "a", "to": "b"}]}})
    file_id = str(shop.call("CreateDISyncTask", TaskName="hub", TaskContent=code)["FileId"])
    shop.call("DeployDISyncTask", FileId=file_id)
    visit.sign_in()
    page = visit.open(f"tasks/{file_id}/verify")
    expect(page.get_by_text("datahub is no database that computes checksums of its rows")).to_be_visible()
    expect(page.get_by_role("button", name="开始校验")).to_be_disabled()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert visit.wrong == [], "\n".join(visit.wrong)
