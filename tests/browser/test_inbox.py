"""The captured mail's page, through the gateway: it renews itself, and shows mail as data."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_accessibility import (
    AXE_IS_INJECTED,
    LOOKS,
    check_width,
    violations,
)
from tests.browser.test_hostile import ELSEWHERE, MARKUP
from tracemypods.local.fleet import Fleet

INBOX = "/local/inbox/"


@pytest.fixture(autouse=True)
def empty(site: str) -> None:
    """No mail of another test's."""
    assert httpx2.delete(f"{site}/local/inbox/messages").status_code == 204


@pytest.fixture
def port(fleet: Fleet) -> int:
    """Where mail is taken."""
    found = urlsplit(fleet.provided("smtp")).port
    assert found
    return found


def send(port: int, subject: str, text: str = "Text", to: str = "asha@example.org", **more: Any):
    message = EmailMessage()
    message["From"] = "Shop <shop@shop.example>"
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    if "html" in more:
        message.add_alternative(more["html"], subtype="html")
    for name, content in more.get("files", {}).items():
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
        assert client.send_message(message) == {}


def entries(page: Page):
    """The links of the list."""
    return page.get_by_role("list", name="Messages, the newest first").get_by_role("link")


def test_mail_appears_by_itself_and_is_read_by_keyboard(page: Page, port: int) -> None:
    page.goto(INBOX)
    expect(page.get_by_role("status")).to_have_text("No messages.")
    expect(page.get_by_text("Nothing here was delivered.")).to_be_visible()
    send(port, "Your code", "Your code is 123456: https://example.org/x?a=b.")
    expect(page.get_by_role("status")).to_have_text("1 message. New: Your code.")
    entries(page).first.focus()
    send(port, "Another one")
    expect(entries(page)).to_have_count(2)
    expect(entries(page).last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your code")).to_be_focused()
    expect(page.get_by_label("The message's text")).to_contain_text("123456")
    expect(page.get_by_role("link", name="https://example.org/x?a=b", exact=True)).to_be_visible()
    expect(entries(page).last).to_have_attribute("aria-current", "true")
    page.reload()
    expect(page.get_by_role("heading", name="Your code")).to_be_visible()


def test_only_mail_to_an_address(page: Page, port: int) -> None:
    send(port, "Hers")
    send(port, "His", to="ravi@example.org")
    page.goto(INBOX)
    expect(entries(page)).to_have_count(2)
    page.get_by_label("Only mail to").fill("ravi@example.org")
    expect(entries(page)).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("1 message to this address.")
    page.get_by_label("Only mail to").fill("")
    expect(entries(page)).to_have_count(2)


def test_all_is_deleted_after_a_second_press(page: Page, port: int) -> None:
    send(port, "Away with it")
    page.goto(INBOX)
    expect(entries(page)).to_have_count(1)
    page.get_by_role("button", name="Delete all").click()
    expect(entries(page)).to_have_count(1)
    page.get_by_role("button", name="Really delete all?").click()
    expect(page.get_by_role("status")).to_have_text("No messages.")
    expect(entries(page)).to_have_count(0)


def test_an_attachment_is_saved(page: Page, port: int) -> None:
    send(port, "Invoice", files={"Nº 1.pdf": b"%PDF-1.7"})
    page.goto(INBOX)
    entries(page).first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Nº 1.pdf (8 bytes)").click()
    assert download.value.suggested_filename == "Nº 1.pdf"
    assert download.value.path().read_bytes() == b"%PDF-1.7"


def test_mail_is_data_and_its_html_runs_and_loads_nothing(
    browser: Browser, port: int, site: str
) -> None:
    refresh = f'<meta http-equiv=refresh content="0;url={ELSEWHERE}/r">'
    leave = f'<a id=leave href="{ELSEWHERE}/left">leave</a>'
    send(port, MARKUP.splitlines()[1], MARKUP, html=f"<h1>Seen</h1>{refresh}{leave}{MARKUP}")
    # Not a watched page: what the policy refuses is an error in the console, and is wanted here.
    other = browser.new_context(base_url=site)
    reached: list[str] = []

    def record(route: Route) -> None:
        reached.append(route.request.url)
        route.fulfill(body="reached")

    other.route(f"{ELSEWHERE}/**", record)
    try:
        opened = other.new_page()
        opened.goto(INBOX)
        entries(opened).first.click()
        frame = opened.frame_locator("iframe")
        expect(frame.locator("h1", has_text="Seen")).to_be_attached()
        frame.locator("#leave").dispatch_event("click")
        opened.get_by_role("button", name="Text").click()
        expect(opened.get_by_label("The message's text")).to_contain_text("<script>")
        opened.wait_for_load_state("networkidle")
        assert opened.evaluate("window.__xss") is None
        assert opened.url.startswith(f"{site}{INBOX}")
        assert reached == []
        # Opened by itself, it is no better off.
        path = opened.get_by_role("link", name="Source").get_attribute("href")
        assert path
        opened.goto(path.replace("/source", "/html"))
        assert opened.evaluate("window.__xss") is None
        assert opened.evaluate("self.origin") == "null"
    finally:
        other.close()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_everybody_can_use_it(open_page: OpenPage, port: int, scheme: Any, width: int) -> None:
    send(port, "Rechnung " + "lang" * 40, files={"a" * 80 + ".pdf": b"x"})
    send(port, "Your code", "123456 " + "x" * 300, html="<p>123456")
    page = open_page(
        color_scheme=scheme, viewport={"width": width, "height": 800}, **AXE_IS_INJECTED
    )
    page.goto(INBOX)
    expect(entries(page)).to_have_count(2)
    assert violations(page) == []
    check_width(page)
    for number in range(2):
        entries(page).nth(number).click()
        expect(page.locator(".inbox-facts")).to_be_visible()
        assert violations(page) == []
        check_width(page)
        back = page.get_by_role("link", name="All messages")
        if width < 800:
            expect(entries(page)).to_have_count(0)
            back.click()
            expect(entries(page).nth(number)).to_be_focused()
        else:
            expect(back).to_be_hidden()


def test_the_page_says_when_the_inbox_is_away(page: Page, fleet: Fleet, port: int) -> None:
    send(port, "Kept")
    page.goto(INBOX)
    expect(entries(page)).to_have_count(1)
    page.route("**/local/inbox/messages?*", lambda route: route.fulfill(status=503))
    expect(page.get_by_role("status")).to_contain_text("does not answer")
    page.unroute("**/local/inbox/messages?*")
    expect(page.get_by_role("status")).to_have_text("1 message.")
