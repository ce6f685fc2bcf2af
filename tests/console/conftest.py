"""A browser for the tests of the console: Debian's Chromium without a window, through Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from visiting import Visit

import servers

SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
SECONDS = 15


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module and no longer: while it is open its event loop runs in this thread, where other tests run theirs."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise RuntimeError("Chromium is not installed: run `make test`, or `scripts/install dev`")
    expect.set_options(timeout=SECONDS * 1000)  # a busy machine takes its time
    with sync_playwright() as playwright:
        # The sandbox needs rights that a test machine's user does not always have; all it shows is our own page.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    with servers.disync(tmp_path_factory.mktemp("home"), datahub=False) as service:
        yield service


@pytest.fixture(params=["wide"])
def visit(request: pytest.FixtureRequest, browser: Browser, service: servers.Service) -> Iterator[Visit]:
    """Parametrized indirectly: "wide" or "narrow", and a language after a colon ("narrow:zh")."""
    size, _, language = request.param.partition(":")
    width, height = SIZES[size]
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "locale": language or "en-GB"}
    context = browser.new_context(**options)
    context.set_default_timeout(SECONDS * 1000)
    yield Visit(service, context, context.new_page()).watch()
    context.close()
