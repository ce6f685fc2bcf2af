"""A visit to the console: a page in a browser, and whatever went wrong in it or left the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

import servers


@dataclass
class Visit:
    """A page of the console, and whatever went wrong in it or left the machine."""

    service: servers.Service
    context: BrowserContext
    page: Page
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> Page:
        self.page.goto(f"http://{self.service.address}/console/{path}".rstrip("/"))
        return self.page

    def sign_in(self, key: tuple[str, str] | None = None) -> Page:
        page = self.open()
        key_id, secret = key or self.service.key
        page.get_by_label("AccessKey ID").fill(key_id)
        page.get_by_label("AccessKey Secret").fill(secret)
        page.keyboard.press("Enter")
        page.locator("header.bar").wait_for()
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"http://{self.service.address}/", "data:", "blob:")):
            self.wrong.append(f"left the machine: {request.url}")

    def _answered(self, request: Request) -> None:
        answer = request.response()
        if answer is not None and answer.status >= 400:
            self.wrong.append(f"HTTP {answer.status}: {request.post_data}")

    def watch(self) -> Visit:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._answered)
        return self
