"""Makes docs/screenshots/*.png: the console over real servers with tasks that run. `make screenshots` calls it.

A MariaDB with a shop in it, a PostgreSQL as its target, a real-time task and the solution of GetDISyncTask's sample,
and a minute of orders, so that there is something to see.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import psycopg  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from psycopg.conninfo import conninfo_to_dict  # noqa: E402

import mysqld  # noqa: E402
import servers  # noqa: E402
from disync.demo.seed import PROCESS_CONTENT  # noqa: E402
from disync.gateway.client import Client  # noqa: E402
from disync.gateway.spec import Spec  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
SPEC = Spec.load()
WIDE, NARROW = (1280, 800), (390, 844)
SECONDS = 75
"""Of orders, before the pictures are taken."""
TABLES = ("orders", "customers", "products", "reviews", "returns")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        mysqld.server() as source,
        servers.postgres() as target,
        tempfile.TemporaryDirectory() as home,
        servers.disync(Path(home), datahub=False) as service,
    ):
        client = Client(f"http://{service.address}", *service.key)
        _fill(source, target)
        task, solution = _tasks(client, source, target)
        with _orders(source):
            time.sleep(SECONDS)
            _verify(client, target, task)
            _pictures(service, task, solution)


def _fill(source: mysqld.Server, target: str) -> None:
    source.run("CREATE DATABASE shop")
    for number, table in enumerate(TABLES, 1):
        columns = "id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(60), amount DECIMAL(10,2), at DATETIME(3)"
        rows = f"SELECT seq, CONCAT('{table} ', seq), seq / 7, NOW(3) FROM seq_1_to_{number * 20_000}"
        source.run([f"CREATE TABLE {table} ({columns})", f"INSERT INTO {table} {rows}"], "shop")
    with psycopg.connect(target) as session:  # a target that does not fit, for the wizard to tell of
        session.execute("CREATE SCHEMA mirror")
        session.execute("CREATE TABLE mirror.products (id int PRIMARY KEY, name varchar(20), amount numeric(10,2))")


def _tasks(client: Client, source: mysqld.Server, target: str) -> tuple[int, int]:
    at = conninfo_to_dict(target)
    url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
    content = {"jdbcUrl": url, "username": str(at["user"]), "password": "", "tag": "public"}
    for name, kind, told in (("mm", "mysql", source.content("shop")), ("holo", "holo", content)):
        given = {"Name": name, "DataSourceType": kind, "EnvType": "1", "Content": json.dumps(told)}
        _call(client, "CreateDataSource", **given)
    reader = {"connection": [{"datasource": "mm", "datasourceType": "mysql", "table": ["orders", "reviews"]}]}
    writer = {"datasource": "holo", "writeMode": "replay", "datasourceSchema": "live"}
    steps = [
        {"stepType": "mysql", "name": "reader", "category": "reader", "parameter": reader, "gui": {"x": 60, "y": 60}},
        {"stepType": "holo", "name": "writer", "category": "writer", "parameter": writer, "gui": {"x": 440, "y": 60}},
    ]
    job = json.dumps({"steps": steps, "order": {"hops": [{"from": "reader", "to": "writer"}]}}, indent=2)
    return _start(client, "DI_REALTIME", "orders_to_holo", job), _start(client, "DI_SOLUTION", "shop", PROCESS_CONTENT)


def _start(client: Client, kind: str, name: str, content: str) -> int:
    made = _call(client, "CreateDISyncTask", TaskType=kind, TaskName=name, TaskContent=content)
    file_id = int(made["Data"]["FileId"])
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        _call(client, action, TaskType=kind, FileId=str(file_id))
    return file_id


def _call(client: Client, action: str, **parameters: str) -> dict[str, dict[str, object]]:
    answer = client.call(SPEC.operations[action], {"ProjectId": "10000", **parameters})
    data = answer.get("Data")
    if isinstance(data, dict) and data.get("Status") == "fail":
        raise SystemExit(f"{action}: {data['Message']}")
    return answer


def _verify(client: Client, target: str, task: int) -> None:
    """A verification that has found what somebody did to the target by hand."""
    with psycopg.connect(target, autocommit=True) as session:
        session.execute("DELETE FROM live.reviews WHERE id = 1207")
        session.execute("UPDATE live.reviews SET name = 'Reviews 88', amount = 0 WHERE id = 88")
        session.execute("INSERT INTO live.reviews VALUES (-1, 'by hand', 1.00, '2026-11-01 09:30:00')")
    made = _call(client, "StartDISyncVerification", FileId=str(task))["Data"]["VerificationId"]
    while _call(client, "GetDISyncVerification", VerificationId=str(made))["Data"]["State"] == "RUN":
        time.sleep(0.5)


@contextmanager
def _orders(source: mysqld.Server) -> Iterator[None]:
    """Orders that come in waves."""
    over = threading.Event()

    def write() -> None:
        dice = random.Random(7)
        with closing(source.root(database="shop")) as session, session.cursor() as cursor:
            while not over.wait(0.05):
                many = dice.randint(5, 60)
                values = ", ".join(
                    f"('order {dice.random():.6f}', {dice.random() * 90:.2f}, NOW(3))" for _ in range(many)
                )
                cursor.execute(f"INSERT INTO orders (name, amount, at) VALUES {values}")

    writer = threading.Thread(target=write, name="orders")
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def _pictures(service: servers.Service, task: int, solution: int) -> None:
    paths = {
        "tasks": "",
        "task-graph": f"tasks/{task}/graph",
        "task-json": f"tasks/{task}/text",
        "task-charts": f"tasks/{task}/charts",
        "task-verify": f"tasks/{task}/verify",
        "task-events": f"tasks/{task}/events",
        "solution-tables": f"tasks/{solution}/tables",
        "solution-steps": f"tasks/{solution}/steps",
        "sources": "sources",
        "groups": "groups",
        "members": "people",
        "audit": "audit",
        "explorer": f"explorer/GetDISyncTask?FileId={task}&ProjectId=10000&TaskType=DI_REALTIME",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for size, language, suffix in ((WIDE, "en-GB", ""), (WIDE, "zh-CN", "-zh"), (NARROW, "en-GB", "-narrow")):
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=language)
            page = context.new_page()
            page.goto(f"http://{service.address}/console")
            page.get_by_label("AccessKey ID").wait_for()
            _shoot(page, f"sign-in{suffix}")
            page.get_by_label("AccessKey ID").fill(service.key[0])
            page.get_by_label("AccessKey Secret").fill(service.key[1])
            page.keyboard.press("Enter")
            page.locator("header.bar").wait_for()
            for name, path in paths.items():
                page.goto(f"http://{service.address}/console/{path}")
                page.locator("main h1").first.wait_for()
                page.wait_for_timeout(1500)
                if name == "explorer":
                    for word in (
                        ("Run", "Show request and code") if language == "en-GB" else ("发起调用", "查看请求与示例代码")
                    ):
                        page.get_by_role("button", name=word, exact=True).click()
                        page.wait_for_timeout(500)
                _shoot(page, f"{name}{suffix}")
            _wizard(page, service, WORDS[language], suffix)
            context.close()
        browser.close()


WORDS = {
    "en-GB": ("Name", "Next", "Source", "Target", "New data source", "Regular expression", "Schema of the target"),
    "zh-CN": ("名称", "下一步", "来源数据源", "去向数据源", "新增数据源", "正则表达式", "目标 Schema"),
}
"""Of the wizard, by which its fields and buttons are found."""


def _wizard(page: Page, service: servers.Service, words: tuple[str, ...], suffix: str) -> None:
    """Its steps, with a solution that could be started."""
    name, onward, source, target, new, expression, schema = words
    page.goto(f"http://{service.address}/console/new")
    page.get_by_label(name).fill("shop_to_holo")
    _shoot(page, f"wizard-kind{suffix}")
    page.get_by_role("button", name=onward, exact=True).click()
    for end, picked in ((source, "mm"), (target, "holo")):
        page.get_by_role("combobox", name=end).select_option(picked)
    page.locator(".ends .badge.good").nth(1).wait_for()
    _shoot(page, f"wizard-ends{suffix}")
    page.get_by_role("button", name=new).first.click()
    _shoot(page, f"wizard-source{suffix}")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=onward, exact=True).click()
    for table in ("orders", "customers", "returns"):
        page.locator(".leaf", has_text=table).get_by_role("checkbox").check()
    _shoot(page, f"wizard-tables{suffix}")
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("textbox", name=expression).fill("(order|product|return)s")
    page.locator("ul.selected li").first.wait_for()
    _shoot(page, f"wizard-pattern{suffix}")
    page.get_by_role("button", name=onward, exact=True).click()
    page.get_by_label(schema).fill("mirror")
    row = page.locator("ul.mapped > li", has_text="mirror.returns")
    row.locator("summary").click()
    row.locator("textarea").wait_for()
    page.locator("ul.mapped").evaluate("one => scrollTo(0, one.getBoundingClientRect().top + scrollY - 60)")
    _shoot(page, f"wizard-mapping{suffix}")
    page.get_by_role("button", name=onward, exact=True).click()
    _shoot(page, f"wizard-start{suffix}")


def _shoot(page: Page, name: str) -> None:
    page.wait_for_function("() => [...document.images].every((one) => one.complete && one.naturalWidth)")
    page.screenshot(path=FOLDER / f"{name}.png")


main()
