"""The wizard: the seed's two tasks, made in the browser over real servers, and watched until they run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from datahub.models import FieldType, RecordSchema, TupleRecord
from playwright.sync_api import Page, expect
from psycopg.conninfo import conninfo_to_dict
from visiting import Visit

import mysqld
import servers
from datahub import DataHub
from disync.demo.seed import PROCESS_CONTENT, PROJECTS, SEED, SOURCE, SOURCE_TOPIC, TARGET, TARGET_TOPIC
from disync.gateway.client import Client
from disync.gateway.spec import Spec

ROWS = 300
TABLES = ("customers", "order_1", "order_2", "<img src=x onerror=alert(1)>")
SPEC = Spec.load()
STEP_WORDS = [
    *("数据源", "状态"),
    *("表", "状态", "说明"),
    *("表", "节点", "行数", "已完成分片", "状态"),
    *("节点", "状态", "已读取行数", "已写入行数", "脏数据"),
]
LOADED = 90_000
"""Milliseconds for a worker to begin and to load a few rows on a busy machine."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    with servers.disync(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run("CREATE DATABASE shop")
        for table in TABLES:
            made = f"CREATE TABLE `{table}` (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)"
            filled = f"INSERT INTO `{table}` SELECT seq, CONCAT('name ', seq) FROM seq_1_to_{ROWS}"
            server.run([made, filled], "shop")
        server.run(["CREATE DATABASE other", "CREATE TABLE other.plain (n INT)"])
        yield server


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="module")
def hub(service: servers.Service) -> DataHub:
    """The service's own DataHub with the seed's topics, records in one of them."""
    client = DataHub(*service.key, service.datahub)
    schema = RecordSchema.from_lists(["rid", "speed"], [FieldType.STRING, FieldType.DOUBLE])
    for name, topic in ((SOURCE, SOURCE_TOPIC), (TARGET, TARGET_TOPIC)):
        client.create_project(PROJECTS[name], "made by a test")
        client.create_tuple_topic(PROJECTS[name], topic, 1, 7, schema, "made by a test")
    client.wait_shards_ready(PROJECTS[SOURCE], SOURCE_TOPIC)
    records = [TupleRecord(schema=schema, values=[f"road {n}", n / 2]) for n in range(ROWS)]
    assert client.put_records(PROJECTS[SOURCE], SOURCE_TOPIC, records).failed_record_count == 0
    return client


class Steps:
    """What a person does in the wizard, by the words that are on the page."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.page = visit, visit.sign_in()
        self.client = Client(f"http://{visit.service.address}", *visit.service.key)

    def next(self, step: str) -> None:
        self.page.get_by_role("button", name="Next", exact=True).click()
        self.at(step)

    def at(self, step: str) -> None:
        expect(self.page.get_by_role("heading", level=2)).to_have_text(step)
        across = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across <= 0, f"{step} is wider than the window by {across} px"

    def add(self, end: str, kind: str, name: str, values: dict[str, str]) -> None:
        self.page.get_by_role("region", name=end).get_by_role("button", name="New data source").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Type").select_option(kind)
        dialog.get_by_label("Name").fill(name)
        for label, value in values.items():
            dialog.get_by_label(label, exact=True).fill(value)
        dialog.get_by_role("button", name="Test and save").click()

    def pick(self, end: str, name: str) -> None:
        self.page.get_by_role("combobox", name=end).select_option(name)
        expect(self.page.get_by_role("region", name=end).get_by_text("Reached", exact=True)).to_be_visible()

    def told(self, table: str) -> Any:
        """The row of a table in the mapping."""
        return self.page.locator("ul.mapped > li").filter(has=self.page.get_by_text(table, exact=True).first)

    def code(self, file_id: int, kind: str) -> Any:
        asked = {"ProjectId": "10000", "FileId": str(file_id), "TaskType": kind}
        data: Any = self.client.call(SPEC.operations["GetDISyncTask"], asked)["Data"]
        return json.loads(data["Code"] if kind == "DI_REALTIME" else data["SolutionDetail"]["ProcessContent"])

    def opened(self) -> int:
        self.page.get_by_role("button", name="Open the task").click()
        expect(self.page.locator(".title .badge")).to_be_visible()
        return int(self.page.url.rpartition("/")[2])


def places(source: mysqld.Server, target: str) -> tuple[dict[str, str], dict[str, str]]:
    at = conninfo_to_dict(target)
    mysql = {"Host": "127.0.0.1", "Port": str(source.port), "Database": "shop"}
    holo = {"Host": "127.0.0.1", "Port": str(at["port"]), "Database": str(at["dbname"]), "User": str(at["user"])}
    return mysql | {"User": mysqld.USER, "Password": mysqld.PASSWORD}, holo


def rows(target: str, table: str) -> int:
    with psycopg.connect(target) as session:
        found = session.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_the_seeds_solution_is_made_step_by_step(visit: Visit, source: mysqld.Server, target: str) -> None:
    steps, page = Steps(visit), visit.page
    visit.open("new")
    steps.at("What it is")
    page.get_by_label("Name").fill("one click")
    expect(page.get_by_text("Letters, digits")).to_be_visible()
    page.get_by_label("Name").fill("one_click")
    steps.next("Source and target")

    mysql, holo = places(source, target)
    steps.add("Source", "mysql", "mm", mysql | {"Password": "wrong"})
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("Not reached")
    assert steps.client.call(SPEC.operations["ListDataSources"], {"ProjectId": "10000"})["Data"]["TotalCount"] == 0
    dialog.get_by_label("Password").fill(mysql["Password"])
    dialog.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("combobox", name="Source")).to_have_value("mm")
    steps.add("Target", "holo", "holo", holo)
    expect(page.get_by_role("combobox", name="Target")).to_have_value("holo")
    steps.next("Tables")

    expect(page.get_by_text("Tables: 5 · databases: 2")).to_be_visible()
    page.get_by_role("searchbox", name="Search tables").fill("order_")
    page.get_by_role("button", name="Choose all of shop: 2").click()
    expect(page.get_by_role("status")).to_contain_text("tables 2")
    page.get_by_role("searchbox", name="Search tables").fill("")
    expect(page.locator(".leaf", has_text="customers")).to_contain_text("about 300 rows")
    page.locator("details", has_text="shop").get_by_label("The whole database").check()
    expect(page.get_by_role("status")).to_contain_text("whole databases 1")
    steps.next("Mapping")

    expect(page.get_by_text("Tables: 4", exact=True)).to_be_visible()
    row = steps.told("customers")
    expect(row).to_contain_text("public.customers")
    row.locator("summary").click()
    expect(row.get_by_role("row", name="name")).to_contain_text("character varying(40)")
    statement = row.get_by_label("Statement that makes it")
    made = statement.input_value()
    statement.fill("DROP TABLE customers")
    row.get_by_role("button", name="Create this table now").click()
    expect(row.get_by_role("alert")).to_contain_text("This is not one CREATE TABLE statement")
    statement.fill(made.replace("character varying(40)", "text"))
    row.get_by_role("button", name="Create this table now").click()
    expect(row).to_contain_text("Is there and fits")
    assert page.locator("main img").count() == 0, "a table's name is text, whatever is in it"

    page.get_by_role("link", name="What it is").click()
    expect(page.get_by_label("Name")).to_have_value("one_click")
    page.reload()
    expect(page.get_by_label("Name")).to_have_value("one_click")
    page.get_by_role("link", name="Check and start").click()
    steps.at("Check and start")
    page.get_by_role("button", name="Create, deploy and start").click()
    expect(page.get_by_text("Started", exact=True)).to_be_visible()
    sent = json.loads(page.locator("pre").inner_text())
    file_id = steps.opened()
    assert steps.code(file_id, "DI_SOLUTION") == sent
    group = "group_219193793999490"
    assert sent == json.loads(PROCESS_CONTENT.replace(group, "group_default")), "it is the seed's own text"
    expect(page.locator(".title .badge")).to_have_text("Successful", timeout=LOADED)
    page.get_by_role("link", name="Steps").click()
    expect(page.locator("ol.steps h2").nth(2)).to_have_text("Full load Success")
    expect(page.locator("ol.steps li").nth(2).get_by_role("row", name="customers").locator(".badge")).to_have_text(
        "Success"
    )
    page.get_by_role("button", name="中文").click()
    expect(page.locator("ol.steps th")).to_have_text(STEP_WORDS)
    page.get_by_role("button", name="English").click()
    page.get_by_role("link", name="Tables").click()
    for table in TABLES:
        expect(page.get_by_role("row", name=table)).to_contain_text("Following", timeout=LOADED)
    assert rows(target, "customers") == ROWS
    visit.open("new")
    expect(page.get_by_label("Name")).to_have_value("")
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_each_workspace_has_a_draft_of_its_own(visit: Visit) -> None:
    steps, page = Steps(visit), visit.page
    made = {"ProjectIdentifier": "elsewhere", "ProjectName": "Elsewhere", "ProjectDescription": "made by a test"}
    steps.client.call(SPEC.operations["CreateProject"], made)
    visit.open("new")
    page.get_by_label("Name").fill("begun_here")
    place = page.get_by_label("Workspace")
    here = place.input_value()
    place.select_option(label="Elsewhere")
    expect(page.get_by_label("Name")).to_have_value("")
    page.get_by_label("Name").fill("begun_there")
    place.select_option(here)
    expect(page.get_by_label("Name")).to_have_value("begun_here")
    assert visit.wrong == [], "\n".join(visit.wrong)


NAMED = """() => {
    const one = document.activeElement;
    const words = one.matches('a, button, summary') ? one.innerText : '';
    return one.ariaLabel || [...(one.labels || [])].map((each) => each.innerText).join() || words;
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what is called so, unless it is there already."""
    for _ in range(60):
        if name in str(page.evaluate(NAMED)):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no Tab leads to {name}")


def test_the_seeds_task_is_made_by_keyboard_alone(visit: Visit, hub: DataHub) -> None:
    steps, page, keys = Steps(visit), visit.page, visit.page.keyboard
    visit.open("new")
    steps.at("What it is")
    tab_to(page, "Solution")
    keys.press("ArrowDown")
    expect(page.get_by_role("radio", name="Real-time task")).to_be_checked()
    tab_to(page, "Name")
    keys.type("roads")
    tab_to(page, "Next")
    keys.press("Enter")
    steps.at("Source and target")
    expect(page.get_by_role("heading", level=2)).to_be_focused()
    for name in (SOURCE, TARGET):
        keys.press("Tab")
        tab_to(page, "New data source")
        keys.press("Enter")
        key_id, secret = visit.service.key
        tab_to(page, "Type")
        for _ in range(2):  # the last of two or three
            keys.press("ArrowDown")
        expect(page.get_by_role("dialog").get_by_label("Type")).to_have_value("datahub")
        values = {"Name": name, "Endpoint": visit.service.datahub, "Project": PROJECTS[name]}
        for label, value in (values | {"AccessKey ID": key_id, "AccessKey Secret": secret}).items():
            tab_to(page, label)
            keys.press("Control+A")
            keys.type(value)
        tab_to(page, "Test and save")
        keys.press("Enter")
        expect(page.get_by_role("dialog")).to_be_hidden()
        end = "Source" if name == SOURCE else "Target"
        expect(page.get_by_role("combobox", name=end)).to_have_value(name)
    tab_to(page, "Next")
    keys.press("Enter")
    steps.at("Tables")
    expect(page.get_by_role("radio", name=SOURCE_TOPIC)).to_be_visible()
    tab_to(page, SOURCE_TOPIC)
    keys.press("Space")
    tab_to(page, "Next")
    keys.press("Enter")
    steps.at("Mapping")
    expect(page.get_by_role("radio", name=TARGET_TOPIC)).to_be_visible()
    tab_to(page, TARGET_TOPIC)
    keys.press("Space")
    row = steps.told(SOURCE_TOPIC)
    expect(row).to_contain_text(f"{PROJECTS[TARGET]}.{TARGET_TOPIC}")
    expect(row).to_contain_text("Is there and fits")
    tab_to(page, SOURCE_TOPIC)
    keys.press("Enter")
    expect(row.get_by_role("row", name="speed")).to_contain_text("double")
    tab_to(page, "Next")
    keys.press("Enter")
    steps.at("Check and start")
    tab_to(page, "Create, deploy and start")
    keys.press("Enter")
    expect(page.get_by_text("Started", exact=True)).to_be_visible()
    tab_to(page, "Open the task")
    keys.press("Enter")
    expect(page.locator(".title .badge")).to_have_text("Running", timeout=LOADED)
    expect(page.locator("dl.facts div", has_text="Rows written")).to_contain_text(str(ROWS), timeout=LOADED)
    made = steps.code(int(page.url.rpartition("/")[2]), "DI_REALTIME")
    assert _plain(made) == _plain(SEED), "it is the seed's own text, but for the steps' names and places"
    assert visit.wrong == [], "\n".join(visit.wrong)


def _plain(job: dict[str, Any]) -> Any:
    """What of a task's text is not a matter of taste: what reads, what writes, and from where to where."""
    steps = {step["name"]: {"type": step["stepType"], "parameter": step["parameter"]} for step in job["steps"]}
    hops = [(steps[hop["from"]], steps[hop["to"]]) for hop in job["order"]["hops"]]
    return hops, job["nodeDef"], job["setting"], job["extend"]["mode"], sorted(job)


@pytest.mark.parametrize("visit", ["narrow"], indirect=True)
def test_tables_are_taken_by_a_pattern_and_renamed_on_a_narrow_screen(
    visit: Visit, source: mysqld.Server, target: str
) -> None:
    steps, page = Steps(visit), visit.page
    mysql, holo = places(source, target)
    content = {"username": mysql["User"], "password": mysql["Password"], "tag": "public"}
    url = f"jdbc:mysql://127.0.0.1:{source.port}/shop"
    there = f"jdbc:postgresql://127.0.0.1:{holo['Port']}/{holo['Database']}"
    for name, kind, told in (
        ("narrow_mm", "mysql", content | {"jdbcUrl": url}),
        ("narrow_pg", "postgresql", {"jdbcUrl": there, "username": holo["User"], "password": "", "tag": "public"}),
    ):
        given = {"Name": name, "DataSourceType": kind, "EnvType": "1", "Content": json.dumps(told)}
        steps.client.call(SPEC.operations["CreateDataSource"], {"ProjectId": "10000", **given})
    visit.open("new")
    page.get_by_text("Real-time task", exact=True).click()
    page.get_by_label("Name").fill("narrow_orders")
    steps.next("Source and target")
    steps.pick("Source", "narrow_mm")
    steps.pick("Target", "narrow_pg")
    steps.next("Tables")
    page.get_by_text("By pattern").click()
    page.get_by_role("textbox", name="Regular expression").fill("order_[")
    expect(page.get_by_role("alert")).to_contain_text("no regular expression")
    page.get_by_role("textbox", name="Regular expression").fill("order_.*|customers")
    expect(page.get_by_role("status")).to_have_text("What it selects now, tables: 3")
    page.get_by_label("But not").fill("custom.*")
    expect(page.get_by_role("status")).to_have_text("What it selects now, tables: 2")
    expect(page.locator("ul.selected")).to_have_text("order_1order_2")
    steps.next("Mapping")
    page.get_by_label("Schema of the target").fill("narrow")
    page.get_by_label("Names of the target tables").fill("ods_${srcTableName}")
    expect(steps.told("order_1")).to_contain_text("narrow.ods_order_1")
    expect(steps.told("order_1")).to_contain_text("Will be made")
    steps.told("order_2").locator("summary").click()
    expect(steps.told("order_2").get_by_label("Statement that makes it")).to_be_visible()
    steps.at("Mapping")
    steps.next("Check and start")
    page.get_by_role("button", name="Create, deploy and start").click()
    expect(page.get_by_text("Started", exact=True)).to_be_visible()
    steps.at("Check and start")
    steps.opened()
    expect(page.locator(".title .badge")).to_have_text("Running", timeout=LOADED)
    page.get_by_role("link", name="Tables").click()
    expect(page.get_by_role("row", name="order_2")).to_contain_text("Following", timeout=LOADED)
    assert rows(target, "narrow.ods_order_1") == ROWS
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_what_was_begun_goes_on_by_json(visit: Visit, source: mysqld.Server) -> None:
    """Data sources are those of the tests before, or any others of these types."""
    steps, page = Steps(visit), visit.page
    content = {"endpoint": "http://127.0.0.1:1", "project": "p", "accessId": "a", "accessKey": "k", "tag": "public"}
    for name, kind, told in (("json_mm", "mysql", source.content("shop")), ("json_dh", "datahub", content)):
        given = {"Name": name, "DataSourceType": kind, "EnvType": "1", "Content": json.dumps(told)}
        steps.client.call(SPEC.operations["CreateDataSource"], {"ProjectId": "10000", **given})
    visit.open("new/mapping")
    steps.at("What it is")
    page.get_by_role("radio", name="Real-time task").check()
    page.get_by_label("Name").fill("by_hand")
    page.get_by_role("link", name="By JSON").click()
    expect(page.locator(".cm-content")).to_contain_text('"stepType": ""')
    page.get_by_role("link", name="Step by step").click()
    expect(page.get_by_label("Name")).to_have_value("by_hand")
    steps.next("Source and target")
    steps.pick("Source", "json_mm")
    page.get_by_role("combobox", name="Target").select_option("json_dh")
    expect(page.get_by_role("region", name="Target").get_by_text("Not reached", exact=True)).to_be_visible()
    steps.next("Tables")
    page.locator(".leaf", has_text="customers").get_by_role("checkbox").check()
    page.get_by_role("link", name="By JSON").click()
    for said in ('"customers"', '"mode": "wizard"'):
        expect(page.locator(".cm-content")).to_contain_text(said)
    expect(page.get_by_label("Name")).to_have_value("by_hand")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="by_hand")).to_be_visible()
    made = steps.code(int(page.url.rpartition("/")[2]), "DI_REALTIME")
    assert made["steps"][1]["parameter"] == {"datasource": "json_dh", "topic": "", "batchSize": 1000}
    visit.open("new")
    expect(page.get_by_label("Name")).to_have_value("")
    assert visit.wrong == [], "\n".join(visit.wrong)
