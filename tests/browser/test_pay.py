"""Buying: the whole way, the plans, and the e-mail address with its code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.shop import (
    ORDER,
    PLANS,
    SECRET,
    TOKEN,
    Shop,
    order,
)


@pytest.fixture
def shop(page: Page) -> Shop:
    """The page of buying, not opened yet."""
    return Shop(page)


def test_the_whole_way(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    assert shop.bodies("send") == [{"email": "asha@example.org", "purpose": "buy"}]
    assert shop.bodies("verify") == [{"challenge_id": "chl_1", "code": "123456"}]
    place = {"country": "IN", "state": "27"}
    assert shop.bodies("quote") == [{"plan": "premium-30", "buyer": place}]
    assert shop.bodies("create") == [
        {"verification": "ver_1", "plan": "premium-30", "buyer": {"name": "Asha Rao", **place}}
    ]
    options = page.evaluate("({...rzp[0].options, modal: undefined, handler: undefined})")
    assert options["key"] == "rzp_test_1"
    assert (options["order_id"], options["amount"], options["currency"]) == (
        "order_R1",
        9900,
        "INR",
    )
    assert options["prefill"] == {"email": "asha@example.org", "name": "Asha Rao"}
    assert SECRET not in str(options)
    assert shop.fragment == f"order={ORDER}&secret={SECRET}"

    shop.once_paid = order("fulfilled", shown=True)
    shop.pay_there()
    expect(shop.heading).to_contain_text("Here is your premium token")
    expect(shop.heading).to_be_focused()
    expect(page.locator(".token-text")).to_have_text(TOKEN)
    assert shop.bodies("paid")[0] == {
        "order_id": ORDER,
        "order_secret": SECRET,
        "razorpay_order_id": "order_R1",
        "razorpay_payment_id": "pay_R1",
        "razorpay_signature": "abcd",
    }
    assert shop.asked["order"][0]["headers"]["authorization"] == f"Bearer {SECRET}"
    stored = page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
    assert SECRET not in stored
    assert TOKEN not in stored


def test_the_token_goes_into_the_chat(page: Page, shop: Shop) -> None:
    told = {"token": TOKEN, "plan": "premium", "expires_at": "2099-01-01T00:00:00Z"}
    page.route("**/api/token", lambda route: route.fulfill(json=told))
    shop.to_checkout()
    shop.pay_there()
    shop.button("Use it in the chat now").click()
    page.wait_for_url("**/chat.html")
    assert page.evaluate("JSON.parse(localStorage['tracemypods.token']).token") == TOKEN
    expect(page.locator("#token-title")).to_have_text("Premium token")


def test_a_token_that_the_chat_does_not_take_stays_on_the_page(page: Page, shop: Shop) -> None:
    page.route("**/api/token", lambda route: route.abort())
    shop.to_checkout()
    shop.pay_there()
    shop.button("Use it in the chat now").click()
    expect(shop.alert).to_contain_text("The connection failed")
    expect(page.locator(".token-text")).to_have_text(TOKEN)


def test_the_token_can_be_copied(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    shop = Shop(page).to_checkout()
    shop.pay_there()
    shop.button("Copy token").click()
    expect(shop.button("Copied: token")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TOKEN
    shop.button("Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


# plans


def test_plans_with_what_they_are(page: Page, shop: Shop) -> None:
    shop.start()
    cards = page.locator(".plan")
    expect(cards).to_have_count(3)
    expect(cards.nth(0)).to_contain_text("₹99.00 for 30 days, tax included")
    expect(cards.nth(0)).to_contain_text("Answersup to 2,048 tokens and more")
    expect(cards.nth(1)).to_contain_text("₹990.00 for 365 days")
    expect(cards.nth(2)).to_contain_text("₹12,500.00")
    expect(cards.nth(2)).to_contain_text("None of its models is installed here.")
    expect(cards.nth(2).get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize(
    ("livemode", "sandbox", "said"),
    [
        (False, True, "Sandbox: no money moves."),
        (False, False, "Test mode: no money moves. Razorpay's test keys are in use"),
        (False, None, "Test mode: no money moves. Payments are for trying out"),
        (True, False, None),
    ],
)
def test_the_mode_is_said(
    page: Page, shop: Shop, livemode: bool, sandbox: bool | None, said: str | None
) -> None:
    shop.answers["plans"] = {"livemode": livemode, "sandbox": sandbox, "items": PLANS}
    shop.start()
    banner = page.get_by_role("note")
    if said is None:
        expect(banner).to_be_hidden()
    else:
        expect(banner).to_contain_text(said)


def test_nothing_is_sold(page: Page, shop: Shop) -> None:
    shop.answers["plans"] = {"livemode": True, "items": []}
    page.goto("/pay.html")
    expect(page.locator("#plans")).to_contain_text("Nothing is sold here at the moment.")


@pytest.mark.parametrize("answer", [None, (502, "<h1>Bad gateway</h1>", {}), {"items": "none"}])
def test_plans_that_cannot_be_read(page: Page, shop: Shop, answer: Any) -> None:
    good = shop.answers["plans"]
    shop.answers["plans"] = answer
    page.goto("/pay.html")
    expect(shop.alert).to_be_visible()
    shop.answers["plans"] = good
    shop.button("Try again").click()
    expect(page.locator(".plan")).to_have_count(3)


# the e-mail address and its code


def test_an_address_that_is_none_is_not_sent(page: Page, shop: Shop) -> None:
    shop.to_email()
    field = page.get_by_label("E-mail address")
    field.fill("asha")
    field.press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Write an e-mail address"))
    assert shop.asked["send"] == []


def test_an_address_that_the_service_refuses(page: Page, shop: Shop) -> None:
    errors = [{"field": "email", "message": "send exactly one plain address"}]
    shop.refuse("send", "invalid_request", 422, errors=errors)
    shop.to_email()
    field = page.get_by_label("E-mail address")
    field.fill("a@b")
    field.press("Enter")
    expect(field).to_have_accessible_description(re.compile("Send exactly one plain address."))


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("mail_limit", 429, "Too many codes were asked for"),
        ("resend_too_soon", 429, "That was too soon"),
        ("mail_unavailable", 503, "The code could not be sent"),
        ("something_new", 500, "title of something_new"),
    ],
)
def test_a_code_that_is_not_sent(page: Page, shop: Shop, code: str, status: int, said: str) -> None:
    sends = shop.answers["send"]
    shop.refuse("send", code, status, retry_after=120)
    shop.to_email()
    page.get_by_label("E-mail address").fill("asha@example.org")
    shop.button("Send me a code").click()
    expect(shop.alert).to_contain_text(said)
    expect(shop.alert).to_contain_text("Suggested wait: 2 minutes.")
    shop.answers["send"] = sends
    shop.button("Send me a code").click()
    expect(shop.code).to_be_focused()
    expect(page.locator("#announcements")).to_have_text("A code was sent to asha@example.org.")


@pytest.mark.parametrize("pasted", ["123456", "123 456", " 123-456\n", "Code: 123456."])
def test_a_pasted_code_goes_on_by_itself(open_page: OpenPage, pasted: str) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    shop = Shop(page).to_code()
    expect(shop.code).to_have_attribute("autocomplete", "one-time-code")
    expect(shop.code).to_have_attribute("inputmode", "numeric")
    page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
    shop.code.press("ControlOrMeta+v")
    shop.wait_for_step("Who buys?")
    assert shop.bodies("verify") == [{"challenge_id": "chl_1", "code": "123456"}]


def test_a_typed_code_goes_on_at_its_sixth_digit(page: Page, shop: Shop) -> None:
    shop.to_code()
    page.keyboard.type("12x3 45")
    expect(shop.code).to_have_value("12345")
    page.keyboard.press("Enter")
    expect(shop.code).to_have_accessible_description(re.compile("The code has six digits."))
    assert shop.asked["verify"] == []
    page.keyboard.type("6")
    shop.wait_for_step("Who buys?")
    expect(shop.heading).to_be_focused()


def test_a_wrong_code(page: Page, shop: Shop) -> None:
    shop.to_code()
    good = shop.answers["verify"]
    shop.refuse("verify", "code_wrong", 422, attempts_left=1)
    shop.code.fill("111111")
    expect(shop.code).to_have_accessible_description(re.compile("not the code .* 1 try is left"))
    expect(shop.code).to_be_focused()
    shop.answers["verify"] = good
    page.keyboard.type("123456")  # in the place of what is selected
    shop.wait_for_step("Who buys?")


def test_a_code_that_is_over(page: Page, shop: Shop) -> None:
    shop.to_code()
    shop.refuse("verify", "challenge_over", 410)
    shop.code.fill("111111")
    expect(shop.alert).to_contain_text("This code can't be used any more")
    expect(shop.button("Send a new code")).to_be_focused()
    shop.answers["verify"] = {"verification": "ver_2", "expires_in": 1800}
    shop.button("Send a new code").click()
    expect(shop.code).to_be_focused()
    shop.code.fill("222222")
    shop.wait_for_step("Who buys?")
    assert "challenge_id" not in shop.bodies("send")[1]


def test_a_code_is_sent_again_after_a_while(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.to_code()
    again = page.get_by_role("button", name=re.compile("Send again in 0[01]:"))
    expect(again).to_have_attribute("aria-disabled", "true")
    again.click(force=True)
    page.clock.run_for(60_000)
    another = shop.button("Send another code")
    shop.refuse("send", "resend_too_soon", 429, retry_after=30)
    another.click()
    expect(shop.alert).to_contain_text("That was too soon")
    expect(page.get_by_role("button", name=re.compile("Send again in 00:"))).to_be_visible()
    page.clock.run_for(31_000)
    shop.answers["send"] = (
        202,
        {"challenge_id": "chl_1", "expires_in": 300, "resend_after": 60},
        {},
    )
    another.click()
    expect(shop.code).to_be_focused()
    assert [one.get("challenge_id") for one in shop.bodies("send")] == [None, "chl_1", "chl_1"]


def test_another_address(page: Page, shop: Shop) -> None:
    shop.to_code()
    shop.button("Use another address").click()
    expect(page.get_by_label("E-mail address")).to_be_focused()
    expect(page.get_by_label("E-mail address")).to_have_value("asha@example.org")


def test_the_inbox_is_linked_where_there_is_one(page: Page, shop: Shop) -> None:
    shop.to_code()
    link = page.get_by_role("link", name="inbox")
    expect(link).to_have_attribute("href", re.compile(r"http://127\.0\.0\.1:\d+/local/inbox/$"))


@pytest.mark.parametrize("inbox", [None, "https://elsewhere.invalid/", "javascript:alert(1)"])
def test_no_other_inbox_is_linked(page: Page, shop: Shop, inbox: str | None) -> None:
    shop.answers["plans"] = {**shop.answers["plans"], "inbox": inbox}
    shop.to_code()
    expect(page.locator(".sent-to a")).to_have_count(0)
