"""The console as its users see it: signing in, its pages in both languages and sizes, the explorer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect
from visiting import Visit

from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.operations import OPERATIONS
from waiting import until

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/disync/console/static"
SPEC = Spec.load()
SEED = (ROOT / "tests/golden/seed-code.json").read_text(encoding="utf-8")
PAYLOAD = "<img src=x onerror=document.title='hit'>"
GROUPED = sorted(name for name in OPERATIONS if SPEC.group(name).key == "sources")
PAGES = ("", "new", "new/json", "sources", "groups", "people", "audit")


def texts(language: str) -> dict[str, str]:
    """The keys and texts of a language's file, which is a flat object."""
    source = (STATIC / f"i18n/{language}.js").read_text(encoding="utf-8")
    found = re.findall(r"(?:'([\w.]+)'|\b([A-Za-z]\w*)): '((?:[^'\\]|\\.)*)'", source)
    return {quoted or plain: text for quoted, plain, text in found}


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = texts("en"), texts("zh")
    assert len(english) > 100
    assert english.keys() == chinese.keys()
    blanks = {key: re.findall(r"\{\w+\}", text) for key, text in english.items()}
    assert {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in chinese.items()} == {
        key: sorted(found) for key, found in blanks.items()
    }


def test_every_text_that_a_page_asks_for_is_there() -> None:
    known = texts("en")
    asked = set[str]()
    for file in STATIC.rglob("*.js"):
        if "vendor" not in file.parts and "i18n" not in file.parts:
            asked |= set(re.findall(r"\bt\('([\w.]+)'", file.read_text(encoding="utf-8")))
    assert sorted(asked - known.keys()) == []


def test_a_wrong_key_is_refused_and_the_right_one_signs_in_by_keyboard_alone(visit: Visit) -> None:
    page = visit.open()
    expect(page.get_by_label("AccessKey ID")).to_be_focused()
    page.keyboard.type(visit.service.key[0])
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("SignIn.Failed")
    page.get_by_label("AccessKey Secret").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(visit.service.key[1])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert [text for text in visit.wrong if "403" not in text] == []
    visit.wrong.clear()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("AccessKey ID")).to_be_visible()
    page.reload()
    expect(page.get_by_label("AccessKey ID")).to_be_visible()
    # A look at the tasks that was on its way when the session ended is refused.
    assert [text for text in visit.wrong if "401" not in text] == []


@pytest.mark.parametrize("visit", ["wide", "narrow", "wide:zh-CN", "narrow:zh-CN"], indirect=True)
def test_every_page_opens_without_an_error_and_nothing_leaves_the_machine(visit: Visit) -> None:
    visit.sign_in()
    for path in [*PAGES, "explorer", "explorer/GetDISyncTask"]:
        page = visit.open(path)
        expect(page.locator("main h1, main .empty").first).to_be_visible()
        page.wait_for_load_state("networkidle") if path in ("explorer",) else page.wait_for_timeout(300)
        across = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across <= 0, f"{path or 'tasks'} is wider than the window by {across} px"
        assert (
            page.evaluate(
                "[...document.querySelectorAll('button, a, input, select, textarea')].filter((one) => "
                "!(one.innerText || one.ariaLabel || one.labels?.length || one.title)).length"
            )
            == 0
        )
    assert visit.wrong == [], "\n".join(visit.wrong)


@pytest.mark.parametrize("visit", ["narrow"], indirect=True)
def test_the_link_of_the_page_that_is_shown_is_in_sight_on_a_narrow_screen(visit: Visit) -> None:
    page = visit.sign_in()
    link = page.locator("header.bar nav a", has_text="Audit log")
    expect(link).not_to_be_in_viewport(ratio=0.9)
    visit.open("audit")
    expect(link).to_have_attribute("aria-current", "page")
    expect(link).to_be_in_viewport(ratio=0.99)
    visit.open("")
    expect(page.locator("header.bar nav a", has_text="Tasks")).to_be_in_viewport(ratio=0.99)
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_the_language_is_switched_and_kept(visit: Visit) -> None:
    page = visit.sign_in()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("link", name="操作审计")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="操作审计")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_the_explorer_calls_an_operation_and_shows_code_that_does(visit: Visit) -> None:
    page = visit.sign_in()
    visit.open("explorer/GetProject?ProjectId=10000")
    page.get_by_role("button", name="Run", exact=True).click()
    answer = page.locator("pre[aria-label=Answer]")
    expect(answer).to_contain_text('"ProjectIdentifier": "default"')
    assert json.loads(answer.inner_text())["Data"]["ProjectId"] == 10000
    page.get_by_role("button", name="Show request and code").click()
    expect(page.locator("pre[aria-label=Python]")).to_contain_text("client.get_project(request)")
    page.get_by_role("button", name="curl").click()
    expect(page.locator("pre[aria-label=curl]")).to_contain_text("x-acs-action: GetProject")
    expect(page.locator("pre[aria-label='Request as signed']")).to_contain_text("ACS3-HMAC-SHA256 Credential=")
    assert visit.service.key[1] not in page.content()
    page.get_by_role("textbox", name="ProjectId integer").fill("no number")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Param.Invalid")
    assert [text for text in visit.wrong if "400" not in text] == []


def test_an_answer_for_other_values_than_those_that_stand_there_is_not_shown(visit: Visit) -> None:
    page = visit.sign_in()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visit.open("explorer/GetProject?ProjectId=10000")
    run = page.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_enabled()  # what the page itself asks for has come
    page.route(re.compile("/console/(call|sign)$"), hold)
    run.click()
    page.get_by_role("button", name="Show request and code").click()
    until(lambda: bool(page.wait_for_timeout(50) or len(held) == 2))
    page.get_by_role("textbox", name="ProjectId integer").fill("10001")
    with page.expect_response("**/console/call"), page.expect_response("**/console/sign"):
        for route in held:
            route.continue_()
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(run).to_be_enabled()
    expect(page.locator("pre[aria-label=Answer], pre[aria-label=Python]")).to_have_count(0)
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_operations_are_grouped_and_found_by_name_and_by_group(visit: Visit) -> None:
    visit.sign_in()
    page = visit.open("explorer")
    sources = page.get_by_role("region", name="Data sources")
    expect(sources.get_by_role("link")).to_have_text([re.compile(name) for name in GROUPED])
    page.get_by_label("Search operations").fill("getdisynctask")
    expect(page.locator(".groups section")).to_have_count(1)
    expect(page.get_by_role("region", name="Data Integration: tasks").get_by_role("link")).to_have_text("GetDISyncTask")
    page.get_by_label("Search operations").fill("resource group")
    found = [re.compile(name) for name in ("ListResourceGroups", "TagResourceGroup")]
    expect(page.locator(".groups a")).to_have_text(found)
    page.get_by_label("Search operations").fill("nothing is called so")
    expect(page.get_by_text("No operation is like that.")).to_be_visible()
    page.get_by_label("Search operations").fill("")
    page.get_by_label("Group", exact=True).select_option("Workspaces")
    expect(page.locator(".groups section")).to_have_count(1)
    page.get_by_role("link", name="GetProject").click()
    expect(page.get_by_role("heading", name="GetProject", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="GetProject")).to_have_attribute("aria-current", "page")
    assert visit.wrong == [], "\n".join(visit.wrong)


def test_what_was_written_is_in_the_audit_log_and_hostile_names_stay_text(visit: Visit) -> None:
    client = Client(f"http://{visit.service.address}", *visit.service.key)
    source = {"ProjectId": "10000", "Name": "hostile", "DataSourceType": "x", "EnvType": "1", "Content": "{}"}
    client.call(SPEC.operations["CreateDataSource"], source | {"Description": PAYLOAD})
    visit.sign_in()
    page = visit.open("audit")
    expect(page.get_by_text("CreateDataSource").first).to_be_visible()
    expect(page.locator("td code", has_text="onerror").first).to_contain_text(PAYLOAD)
    assert page.locator("main img").count() == 0
    assert "hit" not in page.title()
    assert visit.wrong == [], "\n".join(visit.wrong)
