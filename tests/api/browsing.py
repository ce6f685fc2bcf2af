"""A browser's part in a session of the console: it keeps the cookie and says where its requests come from."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from calling import Reply

import servers


class Page(Reply):
    @property
    def refusal(self) -> tuple[int, str]:
        assert set(self.json) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
        return self.status, self.json["Code"]


@dataclass
class Browser:
    """`address` is HOST:PORT. A header that is given as None is left out."""

    address: str
    cookie: str = ""
    csrf: str = ""
    set_cookie: str = field(default="", repr=False)

    def ask(self, method: str, path: str, document: Any = None, **headers: str | None) -> Page:
        body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        sent: dict[str, str | None] = {"Host": self.address}
        if self.cookie:
            sent["Cookie"] = f"disync_session={self.cookie}"
        if method != "GET":
            sent["Origin"] = f"http://{self.address}"
        if document is not None:
            sent["Content-Type"] = "application/json"
        if self.csrf:
            sent["X-CSRF-Token"] = self.csrf
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(method, path, [(name, value) for name, value in sent.items() if value is not None], body)

    def send(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Page:
        """Exactly this request: no path is mended, no header added but the length."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Page(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def sign_in(self, key: tuple[str, str] = servers.ROOT_KEY, **headers: str | None) -> Page:
        page = self.ask("POST", "/console/session", {"AccessKeyId": key[0], "AccessKeySecret": key[1]}, **headers)
        if page.status == 200:
            self.set_cookie = page.headers["set-cookie"]
            self.cookie = SimpleCookie(self.set_cookie)["disync_session"].value
            self.csrf = page.json["Csrf"]
        return page

    def call(self, action: str, parameters: Mapping[str, Any] | None = None, **headers: str | None) -> Page:
        return self.ask("POST", "/console/call", {"Action": action, "Parameters": parameters or {}}, **headers)


def signed_in(service: servers.Service, key: tuple[str, str] = servers.ROOT_KEY) -> Browser:
    browser = Browser(service.address)
    page = browser.sign_in(key)
    assert page.status == 200, page.body
    return browser
