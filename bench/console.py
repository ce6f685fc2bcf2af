"""What a console costs whoever looks at it: weight, requests, time to the first picture, memory of an open page.

DISync's console and Flink's dashboard, each served by its own server on the loopback, each in
the same browser, by the same steps: the page is opened with an empty cache, until what it is for can be seen and
nothing is asked for during half a second; then it is left open for a while.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench import scene
from bench.flink import flink
from bench.table import Row
from servers import Service, disync

ROUNDS = 5
OPEN_SECONDS = 10.0
PATIENCE_MS = 120_000
SIZE = {"width": 1280, "height": 800}
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass(frozen=True, slots=True)
class Visit:
    """`first_ms`: until anything is drawn. `seen_ms`: until what the page is for can be seen. `memory`: of the process
    that shows the page, its proportional share, in bytes; `heap`: of its scripts."""

    weight: float
    requests: float
    first_ms: float
    seen_ms: float
    memory: float
    heap: float


@dataclass(frozen=True, slots=True)
class Console:
    """`seen`: a selector of what the page is for. `enter`: what a context needs before."""

    url: str
    seen: str
    enter: Callable[[BrowserContext], None] = lambda _: None


def measure_all() -> list[Row]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with _disync() as console:
            ours = _measure(browser, console)
        with flink() as url:
            theirs = _measure(browser, Console(f"{url}/#/overview", "flink-overview"))
        browser.close()
    shown = (
        ("console: weight of the first page, over the wire", "weight", "{:,.0f} kB", 1e3),
        ("… requests until it is at rest", "requests", "{:.0f}", 1.0),
        ("… time to the first picture", "first_ms", "{:.0f} ms", 1.0),
        ("… until its tasks, or jobs, are there", "seen_ms", "{:.0f} ms", 1.0),
        (f"… memory of the page, open for {OPEN_SECONDS:.0f} s", "memory", "{:.0f} MB PSS", 1e6),
        ("… of that, its scripts", "heap", "{:.1f} MB", 1e6),
    )
    return [_row(what, getattr(ours, name), getattr(theirs, name), text, unit) for what, name, text, unit in shown]


def _row(what: str, ours: float, theirs: float, shown: str, unit: float) -> Row:
    beside = f"{shown.format(theirs / unit)} (Flink's dashboard)"
    return Row(what, shown.format(ours / unit), beside, theirs / ours)


def _measure(browser: Browser, console: Console) -> Visit:
    visits = [_visit(browser, console) for _ in range(ROUNDS)]
    return Visit(*(median(getattr(visit, name) for visit in visits) for name in Visit.__slots__))


def _visit(browser: Browser, console: Console) -> Visit:
    context = browser.new_context(viewport=SIZE)
    context.set_default_timeout(PATIENCE_MS)
    try:
        console.enter(context)
        before = _renderers(browser)
        page = context.new_page()
        traffic = _Traffic(page)
        page.goto(console.url, wait_until="commit")
        page.locator(console.seen).first.wait_for()
        seen = float(page.evaluate("performance.now()"))
        page.wait_for_load_state("networkidle")
        weight, requests = traffic.weight, traffic.requests
        first = float(page.evaluate(_FIRST_PAINT))
        time.sleep(OPEN_SECONDS)
        heap = float(page.evaluate("performance.memory.usedJSHeapSize"))
        # The browser may hold an empty one ready for the next page.
        memory = max(psutil.Process(one).memory_full_info().pss for one in _renderers(browser) - before)
        return Visit(weight, requests, first, seen, memory, heap)
    finally:
        context.close()


class _Traffic:
    """What goes over the wire for a page, headers included, as the browser counts it; nothing comes from its cache."""

    def __init__(self, page: Page) -> None:
        self.weight = self.requests = 0.0
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.loadingFinished", self._came)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def _asked(self, event: dict[str, object]) -> None:
        self.requests += 1

    def _came(self, event: dict[str, float]) -> None:
        self.weight += event["encodedDataLength"]


def _renderers(browser: Browser) -> set[int]:
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return {int(one["id"]) for one in found if one["type"] == "renderer"}


@contextmanager
def _disync() -> Iterator[Console]:
    with tempfile.TemporaryDirectory(prefix="bench-") as home, disync(Path(home), "--workers", "1") as service:
        built = scene.build(service)
        for topic in ("source_topic", "target_topic"):
            built.topic(topic)
        scene.fill(built, "source_topic", scene.rows(1000))
        task = built.task("move", "source_topic", "target_topic")
        built.run(task, "target_topic", 1000)
        while built.state(task) != "RUN":
            time.sleep(0.05)
        yield Console(
            f"http://{service.address}/console", "main tbody tr .badge.good", lambda context: _sign_in(context, service)
        )
        built.stop(task)


def _sign_in(context: BrowserContext, service: Service) -> None:
    page = context.new_page()
    page.goto(f"http://{service.address}/console")
    page.get_by_label("AccessKey ID").fill(service.key[0])
    page.get_by_label("AccessKey Secret").fill(service.key[1])
    page.keyboard.press("Enter")
    page.locator("header.bar").wait_for()
    page.close()
