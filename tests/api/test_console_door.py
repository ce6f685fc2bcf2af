"""The console's door at a real server: what it serves, and what each attack on it gets."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from browsing import Browser, signed_in
from operating import CANARY, SEED

import servers
from disync.console.attempts import FREE
from disync.console.files import FOLDER, Files
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.services import Services, open_services
from disync.services.access import Caller, Place, Role
from disync.services.keys import lookup_of
from disync.store.database import open_store
from disync.store.vault import open_vault
from waiting import until

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
ROOT = Caller("root", "root", root=True)
PAYLOAD = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    """Without a DataHub; reached by a name of its own too."""
    home = tmp_path_factory.mktemp("home")
    with servers.disync(home, datahub=False, DISYNC_CONSOLE_HOSTS="sync.example.com, other.example.com") as service:
        yield service


@pytest.fixture
def beside(server: servers.Service) -> Iterator[Services]:
    """The server's store, as another process has it."""
    store = open_store(server.home)
    yield open_services(store, open_vault(server.home))
    store.close()


@pytest.fixture
def root(server: servers.Service) -> Browser:
    return signed_in(server)


def member(beside: Services, name: str, role: Role) -> tuple[str, str]:
    beside.keys.create_user(name)
    beside.workspaces.set_member(ROOT, Place(10000), name, role)
    key = beside.keys.create_key(name)
    return key.id, key.secret


def test_the_page_and_its_files_are_served_with_every_protection(server: servers.Service) -> None:
    browser = Browser(server.address)
    for path in ("/console", "/console/", "/console/tasks/1000001", "/console/explorer"):
        page = browser.ask("GET", path)
        assert page.status == 200 and page.body.startswith(b"<!doctype html>")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        nonce = page.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
        assert page.headers["content-security-policy"] == POLICY.format(f" 'nonce-{nonce}'" if nonce else "")
        assert page.headers.items() >= ALWAYS.items()
    file = browser.ask("GET", "/console/static/index.html")
    assert file.body == (FOLDER / "index.html").read_bytes()
    assert file.headers["content-security-policy"] == POLICY.format("")
    assert file.headers.items() >= ALWAYS.items()
    again = browser.ask("GET", "/console/static/index.html", If_None_Match=file.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert browser.ask("HEAD", "/console").body == b""


def test_files_are_compressed_for_who_takes_it(server: servers.Service) -> None:
    browser = Browser(server.address)
    texts = [path for path in FOLDER.rglob("*") if path.suffix in (".css", ".js") and path.stat().st_size > 512]
    for path in texts:
        name = path.relative_to(FOLDER).as_posix()
        page = browser.ask("GET", f"/console/static/{name}", Accept_Encoding="gzip")
        assert gzip.decompress(page.body) == path.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        *("/console/static/../door.py", "/console/static/..%2fdoor.py", "/console/static/%2e%2e/door.py"),
        *("/console/static//etc/passwd", "/console/static/%2fetc/passwd", "/console/static/./index.html"),
        *("/console/static/..\\door.py", "/console/static/a/../../door.py", "/console/static/", "/console/static/.."),
        *("/console/static/index.html%00", "/console/static/nothing.js", "/console/../console/door.py"),
        *("/console/static/.hidden", "/console/door.py", "/console/static/index.html/x"),
    ],
)
def test_nothing_else_of_the_disk_is_served(server: servers.Service, path: str) -> None:
    page = Browser(server.address).ask("GET", path)
    assert page.refusal == (404, "NotFound")


def test_a_link_out_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "secret.js").write_text("secret")
    (tmp_path / "static" / "link.js").symlink_to(tmp_path / "secret.js")
    (tmp_path / "static" / "file.js").write_text("ours")
    files = Files(tmp_path / "static")
    assert files.find("link.js") is None
    found = files.find("file.js")
    assert found is not None and found.plain == b"ours"


def test_a_session_from_sign_in_to_sign_out(server: servers.Service) -> None:
    browser = Browser(server.address)
    assert browser.ask("GET", "/console/session").json == {}
    page = browser.sign_in()
    who = page.json
    assert {name: who[name] for name in ("UserId", "Name", "Root")} == {"UserId": "root", "Name": "root", "Root": True}
    marks = {mark.strip() for mark in browser.set_cookie.split(";")[1:]}
    assert marks == {"HttpOnly", "SameSite=Strict", "Path=/console", "Max-Age=43200"}
    assert page.headers["cache-control"] == "no-store"
    assert browser.ask("GET", "/console/session").json == who
    stolen = Browser(server.address, browser.cookie, browser.csrf)
    assert stolen.call("ListProjects").status == 200
    out = browser.ask("DELETE", "/console/session")
    assert out.status == 200 and "Max-Age=0" in out.headers["set-cookie"]
    assert stolen.ask("GET", "/console/session").json == {}
    assert stolen.call("ListProjects").refusal == (401, "SignIn.Required")


def test_the_cookie_is_for_https_alone_where_the_browser_came_by_it(server: servers.Service) -> None:
    browser = Browser(server.address)
    browser.sign_in(Host="sync.example.com", Origin="https://sync.example.com")
    assert "Secure" in browser.set_cookie.split("; ")


def test_a_call_has_the_very_answer_of_the_api(server: servers.Service, root: Browser) -> None:
    client = Client(f"http://{server.address}", *server.key)
    operation = Spec.load().operations["GetProject"]
    signed = client.call(operation, {"ProjectId": "10000"})
    answer = root.call("GetProject", {"ProjectId": 10000})
    assert answer.status == 200
    assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
    assert answer.json | {"RequestId": ""} == signed | {"RequestId": ""}
    assert root.call("GetProject").refusal == (400, "Param.Invalid")
    assert root.call("GetProject", {"ProjectId": 99}).refusal == (403, "Forbidden.Access")
    assert root.call("GetProject", {"ProjectId": "x"}).refusal == (400, "Param.Invalid")
    assert root.call("GetNothing").refusal == (404, "InvalidAction.NotFound")
    assert root.call("CreateBaseline").refusal == (400, "UnsupportedOperation")


def test_parameters_come_as_json_values(root: Browser) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    wanted = {"ProjectIdentifier": "typed", "ProjectName": "T", "ProjectMode": 2, "Tags": tags, "ClientToken": None}
    made = root.call("CreateProject", wanted | {"DisableDevelopment": True}).json["Data"]
    found = root.call("GetProject", {"ProjectId": made}).json["Data"]
    assert (found["Tags"], found["DisableDevelopment"]) == (tags, True)
    task = {"ProjectId": 10000, "TaskType": "DI_REALTIME", "TaskName": "typed"}
    file_id = root.call("CreateDISyncTask", task | {"TaskContent": json.loads(SEED)}).json["Data"]["FileId"]
    code = root.call("GetDISyncTask", task | {"FileId": file_id}).json["Data"]["Code"]
    assert json.loads(code) == json.loads(SEED)


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_without_its_csrf_token_a_session_does_nothing(root: Browser, token: str | None) -> None:
    assert root.call("ListProjects", X_CSRF_Token=token).refusal == (403, "Forbidden.CSRF")


def test_another_sessions_csrf_token_does_nothing(server: servers.Service, root: Browser) -> None:
    assert root.call("ListProjects", X_CSRF_Token=signed_in(server).csrf).refusal == (403, "Forbidden.CSRF")


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1.evil.example.com"},
        {"Origin": "file://127.0.0.1"},
        {"Origin": ""},
        {"Origin": None},
        {"Origin": None, "Sec_Fetch_Site": "cross-site"},
        {"Origin": None, "Sec_Fetch_Site": "same-site"},
        {"Origin": None, "Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(root: Browser, foreign: dict[str, str | None]) -> None:
    assert root.call("ListProjects", **foreign).refusal == (403, "Forbidden.Origin")
    assert root.sign_in(**foreign).refusal == (403, "Forbidden.Origin")
    assert root.ask("DELETE", "/console/session", **foreign).refusal == (403, "Forbidden.Origin")
    assert root.ask("GET", "/console/session").status == 200


def test_another_sites_page_reads_nothing_but_may_link_here(root: Browser) -> None:
    for site in ("cross-site", "same-site"):
        assert root.ask("GET", "/console/session", Sec_Fetch_Site=site).refusal == (403, "Forbidden.Origin")
        assert root.ask("GET", "/console/tasks", Sec_Fetch_Site=site).status == 200
    assert root.ask("GET", "/console/session", Origin="http://evil.example.com").refusal == (403, "Forbidden.Origin")
    page = root.ask("GET", "/console/session")
    assert page.status == 200
    assert [name for name in page.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "127.0.0.1.evil.example.com", "example.com", "sync.example.com.evil.net", "", "a b", "["],
)
def test_a_name_that_is_not_ours_is_served_nothing(server: servers.Service, root: Browser, host: str) -> None:
    for path in ("/console", "/console/static/index.html", "/console/session"):
        assert root.ask("GET", path, Host=host).refusal == (403, "Forbidden.Host")
    assert root.sign_in(Host=host, Origin=f"http://{host}").refusal == (403, "Forbidden.Host")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST.", "sync.example.com", "other.example.com:8443"]
)
def test_a_name_that_is_ours_is_served(root: Browser, host: str) -> None:
    assert root.ask("GET", "/console/session", Host=host).status == 200
    assert root.call("ListProjects", Host=host, Origin=f"http://{host}").status == 200


def test_a_second_host_is_refused(server: servers.Service) -> None:
    browser = Browser(server.address)
    page = browser.send("GET", "/console", [("Host", server.address), ("Host", "evil.example.com")])
    assert page.status == 400


def test_two_cookies_are_nobodys(root: Browser) -> None:
    both = f"disync_session=planted; disync_session={root.cookie}"
    assert root.ask("GET", "/console/session", Cookie=both).json == {}


def test_a_key_that_is_switched_off_ends_its_sessions(server: servers.Service, beside: Services) -> None:
    key = member(beside, "olga", Role.OWNER)
    olga = signed_in(server, key)
    assert olga.call("ListProjects").status == 200
    beside.keys.switch(ROOT, lookup_of(key[0]), False)
    assert olga.call("ListProjects").refusal == (401, "SignIn.Required")
    beside.keys.switch(ROOT, lookup_of(key[0]), True)
    assert olga.call("ListProjects").refusal == (401, "SignIn.Required"), "it stays ended"


def test_a_visitor_reads_and_does_not_write(server: servers.Service, beside: Services) -> None:
    visitor = signed_in(server, member(beside, "vic", Role.VISITOR))
    assert visitor.ask("GET", "/console/session").json["Root"] is False
    assert visitor.call("ListFiles", {"ProjectId": 10000}).status == 200
    folder = {"ProjectId": 10000, "FolderPath": "Business Flow/default/Data Integration/of_vic"}
    assert visitor.call("CreateFolder", folder).refusal == (403, "Forbidden.Access")
    task = {"ProjectId": 10000, "TaskType": "DI_REALTIME", "TaskContent": SEED}
    assert visitor.call("CreateDISyncTask", task).refusal == (403, "Forbidden.Access")


def test_markup_comes_back_as_json_alone(root: Browser) -> None:
    task = {"ProjectId": 10000, "TaskType": "DI_REALTIME", "FileId": 1}
    answers = [
        root.call(PAYLOAD),
        root.call("GetDISyncTask", task | {"TaskType": PAYLOAD}),
        root.call("CreateProject", {"ProjectIdentifier": PAYLOAD, "ProjectName": PAYLOAD}),
        root.call("ListFiles", {"ProjectId": 10000, "Keyword": PAYLOAD}),
        root.ask("GET", f"/console/static/{PAYLOAD.replace(' ', '%20')}"),
        root.ask("GET", "/console", Host=PAYLOAD),
    ]
    for page in answers:
        assert isinstance(page.json, dict)
        assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("document", "media", "refusal"),
    [
        (b"{", "application/json", (400, "InvalidParameter")),
        (b"[]", "application/json", (400, "InvalidParameter")),
        (b"\xff", "application/json", (400, "InvalidParameter")),
        (b"[" * 100_000, "application/json", (400, "InvalidParameter")),
        (b'{"Action":"ListProjects"}', "text/plain", (415, "InvalidParameter")),
        (b"Action=ListProjects", "application/x-www-form-urlencoded", (415, "InvalidParameter")),
        (b'{"Action":1}', "application/json", (400, "Param.Invalid")),
        (b'{"Action":"ListProjects","Parameters":[]}', "application/json", (400, "Param.Invalid")),
        (b"", "application/json", (400, "Param.Invalid")),
    ],
)
def test_a_body_must_be_a_json_object(root: Browser, document: bytes, media: str, refusal: tuple[int, str]) -> None:
    assert root.ask("POST", "/console/call", document, Content_Type=media).refusal == refusal


@pytest.mark.parametrize(("path", "most"), [("/console/call", 8 << 20), ("/console/session", 16 << 10)])
def test_a_body_is_bounded(root: Browser, path: str, most: int) -> None:
    page = root.ask("POST", path, b" " * (most + 1))
    assert page.refusal == (413, "InvalidParameter")
    assert page.headers["connection"] == "close"


def test_what_is_not_taken_is_said(root: Browser) -> None:
    for method, path in (("GET", "/console/call"), ("PUT", "/console/session"), ("POST", "/console/tasks")):
        assert root.ask(method, path, {}).refusal == (405, "UnsupportedHTTPMethod")


def test_guessing_is_slowed_down_and_no_key_is_confirmed(tmp_path: Path) -> None:
    """On a server of its own, as the address that guesses is slowed down too."""
    with servers.disync(tmp_path, datahub=False) as guessed:
        browser = Browser(guessed.address)
        known, unknown = browser.sign_in((servers.ROOT_KEY[0], "wrong")), browser.sign_in(("nobody", "wrong"))
        assert known.refusal == unknown.refusal == (403, "SignIn.Failed")
        assert known.json["Message"] == unknown.json["Message"]

        looked_at = [known, unknown]

        def told_to_wait() -> int:
            page = browser.sign_in((servers.ROOT_KEY[0], "wrong"))
            if page.refusal == (403, "SignIn.Failed"):
                looked_at.append(page)
                return 0
            assert page.refusal == (429, "Throttling.User")
            return int(page.headers["retry-after"])

        until(lambda: told_to_wait() >= 4)
        assert len(looked_at) == FREE + 2
        refused = browser.sign_in()
        assert refused.refusal == (429, "Throttling.User"), "not even the right secret is looked at"
        assert int(refused.headers["x-acs-retry-after"]) > 0
        assert "wrong" not in guessed.log and servers.ROOT_KEY[0] not in guessed.log


def test_no_secret_is_in_the_log_or_the_store(server: servers.Service, beside: Services) -> None:
    key = member(beside, "lea", Role.VISITOR)
    lea = signed_in(server, key)
    lea.call("ListProjects")
    with closing(sqlite3.connect(server.home / "disync.db")) as connection:
        stored = str(connection.execute("SELECT * FROM session").fetchall())
    for secret in (*key, lea.cookie, lea.csrf):
        assert secret not in server.log
        assert secret not in stored
    assert "signed in" in server.log


def test_the_explorer_lists_what_is_served_and_signs_with_the_key_of_the_session(
    server: servers.Service, root: Browser
) -> None:
    listed = {one["Name"]: one for one in root.ask("GET", "/console/operations").json["Operations"]}
    assert listed["GetDISyncTask"]["Parameters"][0]["Name"] == "FileId"
    assert [listed[name]["Own"] for name in ("GetDISyncTask", "GetCallerIdentity")] == [False, True]
    asked = {"Action": "GetProject", "Parameters": {"ProjectId": 10000}}
    shown = root.ask("POST", "/console/sign", asked).json
    assert shown["Url"] == f"http://{server.address}/?ProjectId=10000"
    assert f"Credential={server.key[0]}," in shown["Headers"]["authorization"]
    assert server.key[1] not in json.dumps(shown)
    refused = root.ask("POST", "/console/sign", {"Action": "GetProject", "Parameters": {"No": "1"}})
    assert (refused.status, refused.json["Code"]) == (400, "Param.Invalid")


def test_the_explorer_is_for_who_is_signed_in(server: servers.Service) -> None:
    nobody = Browser(server.address)
    assert nobody.ask("GET", "/console/operations").status == 401
    assert nobody.ask("POST", "/console/sign", {"Action": "GetProject"}).status == 401


def test_the_audit_log_tells_the_door_and_the_request(server: servers.Service, root: Browser) -> None:
    browsed = root.call("CreateBusiness", {"ProjectId": 10000, "BusinessName": "browsed"}).json["RequestId"]
    client = Client(f"http://{server.address}", *server.key)
    operation = Spec.load().operations["CreateBusiness"]
    signed = client.call(operation, {"ProjectId": "10000", "BusinessName": "signed"})["RequestId"]
    found = root.call("ListAuditEvents", {"ProjectId": 10000, "AuditAction": "CreateBusiness"}).json["Data"]["Events"]
    assert [(event["Door"], event["RequestId"], event["Code"]) for event in found] == [
        ("api", signed, "OK"),
        ("console", browsed, "OK"),
    ]


def test_no_password_of_a_data_source_is_anywhere(server: servers.Service, root: Browser) -> None:
    content = {"endpoint": "http://127.0.0.1:1", "project": "p", "accessId": "a", "accessKey": CANARY}
    source = {"ProjectId": 10000, "DataSourceType": "datahub", "EnvType": 1, "Content": content}
    made = [root.call("CreateDataSource", source | {"Name": name}) for name in ("kept", "kept", "not a name")]
    assert [page.status for page in made] == [200, 400, 400]
    shown = root.call("ListAuditEvents", {"ProjectId": 10000}).body
    files = [path for path in server.home.rglob("*") if path.is_file()]
    assert {"disync.db", "stderr.log"} <= {path.name for path in files}
    for text in (shown, *(page.body for page in made), *(path.read_bytes() for path in files)):
        assert CANARY.encode() not in text
