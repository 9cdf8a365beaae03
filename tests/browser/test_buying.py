"""A purchase from the first page to the first answer, with every service and a sandbox."""

from __future__ import annotations

import io
import itertools
import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser.conftest import ANSWER_TIMEOUT_MS, Chat
from tracemypods.local.testing.mail import codes

pytestmark = pytest.mark.timeout(300)  # a busy machine's model may take its time

_numbers = itertools.count()


@pytest.fixture
def mails(site: str) -> Iterator[Callable[[str, int], str]]:
    """The newest of so many codes that were mailed to an address, once they have come."""
    with httpx2.Client(base_url=site, timeout=30) as client:

        def code(address: str, count: int) -> str:
            path = f"/local/inbox/messages?to={quote(address)}"
            give_up = time.monotonic() + 60
            while len(found := codes(client.get(path).json()["items"])) < count:
                assert time.monotonic() < give_up
            return found[0]

        yield code


@pytest.fixture
def mailed_pdf(site: str) -> Iterator[Callable[[str], str]]:
    """The text of the PDF in the newest mail to an address that brings one."""
    with httpx2.Client(base_url=site, timeout=30) as client:

        def text(address: str) -> str:
            found = client.get(f"/local/inbox/messages?to={quote(address)}").json()["items"]
            mail = next(one for one in found if one["attachments"])
            (attachment,) = mail["attachments"]
            assert attachment["type"] == "application/pdf"
            raw = client.get(f"/local/inbox/messages/{mail['id']}/attachments/0").content
            pages = PdfReader(io.BytesIO(raw)).pages
            return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")

        yield text


class Buyer:
    """A person in Mumbai on the page of buying."""

    def __init__(self, page: Page, mails: Callable[[str, int], str]) -> None:
        self.page = page
        self.address = f"buyer{next(_numbers)}-{time.time_ns()}@example.test"
        self._mails = mails
        self.heading = page.locator("main h2:visible")
        self.window = page.frame_locator("iframe")

    def press(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("button", name=name).click()

    def say_code(self, mails: int = 1) -> None:
        """Type the code that the mail brought."""
        expect(self.page.get_by_label("Code", exact=True)).to_be_visible()
        self.page.get_by_label("Code", exact=True).fill(self._mails(self.address, mails))

    def to_payment(self) -> None:
        """Go through all steps until Razorpay's window is open."""
        self.page.goto("/pay.html")
        expect(self.page.locator("#test-mode")).to_contain_text("no money moves")
        self.press("Choose this plan Premium, 30 days")
        self.page.get_by_label("E-mail address").fill(self.address)
        self.press("Send me a code")
        self.say_code()
        expect(self.heading).to_contain_text("Who buys?")
        self.page.get_by_label("Name").fill("Asha <b>Rao</b>")
        self.page.get_by_label("Country").select_option("IN")
        self.page.get_by_label("State").select_option("27")
        self.press("See the price with tax")
        self.press("Pay ₹99.00")
        expect(self.window.get_by_role("button", name="Pay ₹99.00")).to_be_enabled()


@pytest.fixture
def buyer(page: Page, mails: Callable[[str, int], str]) -> Buyer:
    return Buyer(page, mails)


def test_from_the_plan_to_an_answer_of_the_premium_profile(
    page: Page, buyer: Buyer, chat: Chat, mailed_pdf: Callable[[str], str]
) -> None:
    buyer.to_payment()
    expect(buyer.window.get_by_text("Sandbox: no money moves.")).to_be_visible()
    buyer.window.get_by_role("button", name="Let the payment fail").click()
    buyer.window.get_by_role("button", name="Pay ₹99.00").click()
    expect(buyer.heading).to_contain_text("Here is your premium token")
    token = page.locator(".token-text").inner_text()
    assert token.startswith("tmpods_premium_")
    invoice = page.locator(".progress li", has_text="Invoice")
    expect(invoice).to_have_text(re.compile(r"TEST/\d{4}/\d{6}, sent by e-mail$"))
    number = re.findall(r"TEST/\d{4}/\d{6}", invoice.inner_text())[0]
    text = mailed_pdf(buyer.address)
    for said in (number, "Asha <b>Rao</b>", buyer.address, "Premium, 30 days", "₹ 99.00"):
        assert said in text
    assert "not a tax invoice" in text.lower()
    buyer.press("Use it in the chat now")
    page.wait_for_url("**/chat.html")
    expect(page.locator("#token-title")).to_have_text("Premium token")
    page.get_by_role("combobox", name="Model").select_option("smollm2:135m-plus")
    chat.ask("Say hello in one short sentence.")
    chat.wait_until("done")
    assert chat.prose.inner_text(timeout=ANSWER_TIMEOUT_MS).strip()


def test_a_closed_tab_costs_nobody_the_token(page: Page, buyer: Buyer) -> None:
    """The payment is made, the page never hears of it, and the link leads back."""
    buyer.to_payment()
    way_back = page.url
    assert re.search(r"#order=ord_[0-9a-f]{32}&secret=", way_back)
    buyer.window.get_by_role("button", name="Pay and close this tab").click()
    page.wait_for_url("**/local/razorpay/closed")
    page.goto(way_back)
    page.get_by_label("E-mail address").fill(buyer.address)
    buyer.press("Send me a code")
    buyer.say_code(mails=2)
    expect(page.locator(".token-text")).to_have_text(re.compile(r"^tmpods_premium_"))
