"""A task's life at the console: data sources, its text, its run, its tabs, and what a mistake looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect
from psycopg.conninfo import conninfo_to_dict
from visiting import Visit

import mysqld
import servers
from waiting import until

ROWS = 400
TABLES = ("orders", "<img src=x onerror=alert(1)>")
JOB = {
    "steps": [
        {
            "stepType": "mysql",
            "name": "reader",
            "category": "reader",
            "parameter": {"connection": [{"datasource": "shop_source", "datasourceType": "mysql", "table": []}]},
            "gui": {"x": 60, "y": 60},
        },
        {
            "stepType": "postgresql",
            "name": "writer",
            "category": "writer",
            "parameter": {"datasource": "shop_target", "writeMode": "replay", "datasourceSchema": "public"},
            "gui": {"x": 420, "y": 60},
        },
    ],
    "order": {"hops": [{"from": "reader", "to": "writer"}]},
}


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run("CREATE DATABASE shop")
        for table in TABLES:
            server.run(
                [
                    f"CREATE TABLE `{table}` (id INT PRIMARY KEY, name VARCHAR(40))",
                    f"INSERT INTO `{table}` SELECT seq, CONCAT('name ', seq) FROM seq_1_to_{ROWS}",
                ],
                "shop",
            )
        yield server


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


def add_source(page: Page, kind: str, name: str, values: dict[str, str]) -> None:
    page.get_by_role("button", name="New data source").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type").select_option(kind)
    dialog.get_by_label("Name").fill(name)
    for label, value in values.items():
        dialog.get_by_label(label, exact=True).fill(value)
    dialog.get_by_role("button", name="Test and save").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Saved, and it can be reached.").first).to_be_visible()


def set_text(page: Page, text: str) -> None:
    """As if it were pasted: what is typed would have its brackets closed by the editor."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def set_position(page: Page, source: mysqld.Server) -> None:
    """Of a task that is stopped: a place that is none is refused in the dialog, one that is there is kept."""
    page.get_by_role("link", name="Checkpoints").click()
    row = page.get_by_role("row", name="binlog")
    row.get_by_role("button", name="Set the position of binlog").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("note")).to_contain_text("is there twice")
    expect(dialog.get_by_label("Position")).to_have_value(re.compile("server=id-1"))
    dialog.get_by_label("Position").fill("nowhere.000001:4")
    dialog.get_by_role("button", name="Set the position").click()
    expect(dialog.get_by_role("alert")).to_contain_text("has no binary log nowhere.000001")
    file, at = source.run("SHOW MASTER STATUS")[0][:2]
    dialog.get_by_label("Position").fill(f"{file}:{at}")
    dialog.get_by_role("button", name="Set the position").click()
    expect(dialog).to_be_hidden()
    expect(row).to_contain_text(f"{file}:{at} server=id-1")
    expect(row).to_contain_text("set by hand, for the next start")
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_role("row", name="CHECKPOINT")).to_contain_text("The position of binlog was set.")


def load_again(page: Page, target: str) -> None:
    """One table alone: what somebody has deleted from it in the target is there again."""
    with psycopg.connect(target, autocommit=True) as session:
        session.execute("DELETE FROM orders WHERE id < 100")
        row = page.get_by_role("row", name="orders")
        row.get_by_role("button", name="Load again").click()
        page.get_by_role("dialog").get_by_role("button", name="Load again").click()
        expect(page.get_by_text("orders is loaded again now.")).to_be_visible()
        until(lambda: session.execute("SELECT count(*) FROM orders").fetchone() == (ROWS,), seconds=60)
        expect(row).to_contain_text("Following", timeout=60_000)


def test_from_data_sources_to_a_running_task_and_its_end(visit: Visit, source: mysqld.Server, target: str) -> None:
    page = visit.sign_in()
    visit.open("sources")
    at = conninfo_to_dict(target)
    place = {"Host": "127.0.0.1", "Port": str(source.port), "Database": "shop", "User": mysqld.USER}
    add_source(page, "mysql", "shop_source", place | {"Password": mysqld.PASSWORD})
    place = {"Host": "127.0.0.1", "Port": str(at["port"]), "Database": str(at["dbname"]), "User": str(at["user"])}
    add_source(page, "postgresql", "shop_target", place)

    visit.open("new/json")
    page.get_by_label("Name").fill("shop")
    set_text(page, json.dumps(JOB, indent=2))
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="shop")).to_be_visible()
    expect(page.locator("svg.graph")).to_contain_text("shop_source")
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("Deployed.")).to_be_visible()

    page.get_by_role("button", name="Start", exact=True).focus()  # by keyboard alone
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Start", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".title .badge")).to_have_text("Running", timeout=60_000)
    page.get_by_role("link", name="Tables").click()
    for table in TABLES:
        expect(page.get_by_role("row", name=table)).to_contain_text("Following", timeout=60_000)
    assert page.locator("main img").count() == 0, "a table's name is text, whatever is in it"
    load_again(page, target)
    page.get_by_role("link", name="Charts").click()
    expect(page.locator("figure.chart canvas").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Checkpoints").click()
    expect(page.get_by_role("table", name="Checkpoints")).to_contain_text("binlog")
    page.get_by_role("link", name="Dirty rows").click()
    expect(page.get_by_text("The target has refused no row.")).to_be_visible()
    with psycopg.connect(target) as session:
        assert session.execute("SELECT count(*) FROM orders").fetchone() == (ROWS,)

    visit.open()
    row = page.get_by_role("row", name="shop")
    expect(row).to_contain_text("mysql → postgresql")
    row.get_by_role("checkbox").check()
    page.locator(".tools").get_by_role("button", name="Stop").click()
    expect(row).to_contain_text("Stopped", timeout=30_000)
    page.get_by_role("link", name="shop", exact=True).click()
    set_position(page, source)
    assert [text for text in visit.wrong if "400" not in text] == [], "\n".join(visit.wrong)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no tasks yet.")).to_be_visible()
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_a_mistake_is_shown_at_its_place(visit: Visit) -> None:
    page = visit.sign_in()
    visit.open("new/json")
    page.get_by_label("Name").fill("wrong")
    set_text(page, '{"steps": [,]}')
    expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    broken = json.loads(json.dumps(JOB))
    broken["steps"][1]["parameter"]["writeMode"] = "sideways"
    broken["steps"][1]["parameter"]["datasource"] = "nowhere"
    set_text(page, json.dumps(broken, indent=2))
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="wrong")).to_be_visible()
    page.get_by_role("link", name="JSON").click()
    page.locator(".tab").get_by_role("button", name="Deploy").click()
    expect(page.locator(".tab").get_by_role("alert")).to_contain_text("steps[1].parameter.writeMode")
    for wrong in ("sideways", "nowhere"):
        expect(page.locator(".cm-lintRange-error", has_text=wrong)).to_be_visible()
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_what_is_typed_faster_than_the_page_renders_is_kept(visit: Visit) -> None:
    """The editor once put back what the page had rendered of it before: on a slow machine the two never ended."""
    page = visit.sign_in()
    visit.open("new/json")
    page.get_by_label("Name").fill("fast")
    set_text(page, "")
    visit.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    for number in range(40):
        page.keyboard.insert_text(f"{number} ")
    expect(page.locator(".cm-content")).to_have_text("".join(f"{number} " for number in range(40)).strip())
    assert visit.wrong == [], "\n".join(visit.wrong)
