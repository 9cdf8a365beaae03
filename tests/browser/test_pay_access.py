"""Buying for everybody: every look, by keyboard, on a phone; and whatever is said is text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.shop import GSTIN, LINK, PLANS, SCRIPT, TOKEN, Shop, order
from tests.browser.test_accessibility import (
    AXE_IS_INJECTED,
    check_width,
    tab_to,
    violations,
)
from tracemypods.contracts import gst

LOOKS = [
    pytest.param(scheme, width, id=f"{scheme}-{width}")
    for scheme in ("light", "dark")
    for width in (320, 1280)
]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_step_in_every_look(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 740},
        **AXE_IS_INJECTED,
    )
    shop = Shop(page)

    def check() -> None:
        assert violations(page) == []
        check_width(page)

    shop.start()
    check()
    shop.to_code()
    shop.refuse("verify", "code_wrong", 422, attempts_left=3)
    shop.code.fill("111111")
    expect(page.get_by_text("That is not the code")).to_be_visible()
    check()
    shop.answers["verify"] = {"verification": "ver_1", "expires_in": 1800}
    shop.code.fill("123456")
    shop.wait_for_step("Who buys?")
    page.get_by_label("Country").select_option("IN")
    shop.button("See the price with tax").click()
    expect(page.locator(".summary")).to_be_visible()
    check()
    shop.fill_buyer()
    shop.button("See the price with tax").click()
    expect(shop.button("Pay ₹99.00")).to_be_visible()
    check()
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    shop.fail_there("The bank said no.")
    shop.close_there()
    expect(shop.alert).to_be_visible()
    page.get_by_text("What has happened so far").click()
    check()
    shop.once_paid = order("fulfilled", shown=True, invoice="pending")
    shop.button("Try again: pay ₹99.00").click()
    shop.wait_for_checkout(2)
    shop.pay_there()
    expect(page.locator(".token-text")).to_be_visible()
    check()
    page.reload()
    expect(page.get_by_label("E-mail address")).to_be_visible()
    check()
    shop.answers["plans"] = None
    page.goto("about:blank")
    page.goto("/pay.html")
    expect(shop.alert).to_be_visible()
    check()


@pytest.mark.parametrize("path", ["/terms.html", "/privacy.html", "/refunds.html", "/contact.html"])
def test_the_sellers_pages(open_page: OpenPage, path: str) -> None:
    page = open_page(viewport={"width": 320, "height": 640}, **AXE_IS_INJECTED)
    page.goto(path)
    assert violations(page) == []
    check_width(page)
    expect(page.get_by_role("note")).to_contain_text("has not filled in who sells here")
    links = page.get_by_role("navigation", name="About the seller").get_by_role("link")
    expect(links).to_have_text(["Terms", "Privacy", "Refunds", "Contact"])


def test_the_pages_are_linked(page: Page) -> None:
    Shop(page)
    page.goto("/")
    page.get_by_role("link", name="Premium", exact=True).click()
    page.wait_for_url("**/pay.html")
    page.get_by_role("link", name="Refunds").click()
    page.wait_for_url("**/refunds.html")


def test_the_whole_way_by_keyboard(page: Page) -> None:
    shop = Shop(page).start()
    tab_to(page, "^Choose this plan$")
    page.keyboard.press("Enter")
    expect(shop.heading).to_be_focused()
    expect(shop.heading).to_have_text("Step 2 of 5: Confirm your e-mail address")
    tab_to(page, "^E-mail address$")
    page.keyboard.type("asha@example.org")
    page.keyboard.press("Enter")
    expect(shop.code).to_be_focused()
    page.keyboard.type("123456")
    expect(shop.heading).to_have_text("Step 3 of 5: Who buys?")
    expect(shop.heading).to_be_focused()
    tab_to(page, "^Name$")
    page.keyboard.type("Asha Rao")
    page.keyboard.press("Tab")
    page.keyboard.type("India")
    page.keyboard.press("Tab")
    page.keyboard.type("Maharashtra")
    page.keyboard.press("Tab")
    page.keyboard.type(GSTIN.lower())
    page.keyboard.press("Enter")
    expect(shop.heading).to_have_text("Step 4 of 5: Check and pay")
    expect(shop.heading).to_be_focused()
    tab_to(page, "^Pay ")
    page.keyboard.press("Enter")
    shop.wait_for_checkout()
    shop.once_paid = order("fulfilled", shown=True)
    shop.pay_there()
    expect(shop.heading).to_have_text("Step 5 of 5: Here is your premium token")
    expect(shop.heading).to_be_focused()
    tab_to(page, "^Use it in the chat now$")
    assert page.title() == "Step 5 of 5: Here is your premium token · Premium · TraceMyPods"


def test_what_is_read_again_leaves_the_focus_where_it_is(page: Page) -> None:
    page.clock.install()
    shop = Shop(page).open_order()
    link = page.get_by_label("Link to this order")
    link.focus()
    shop.answers["order"] = order(history=[{"at": "2026-11-24T10:01:00Z", "what": "looked at"}])
    page.clock.run_for(3_000)
    expect(page.locator(".history")).to_contain_text("looked at")
    expect(link).to_be_focused()


# hostile words

XSS = '<img src=x onerror="window.__xss=1"><script>window.__xss=2</script>'


def test_whatever_services_say_is_text(page: Page) -> None:
    shop = Shop(page)
    plan = {**PLANS[0], "title": XSS, "notes": XSS, "currency": "<b>", "limits": {XSS: XSS}}
    gone = {**PLANS[2], "reason": XSS}
    shop.answers["plans"] = {"livemode": True, "items": [plan, gone], "inbox": XSS}
    page.goto("/pay.html")
    expect(page.locator(".plan-title").first).to_have_text(XSS)
    shop.refuse("send", XSS, 500, title=XSS, detail=XSS, request_id=XSS)
    page.get_by_role("button", name="Choose this plan").click()
    page.get_by_label("E-mail address").fill("asha@example.org")
    shop.button("Send me a code").click()
    expect(shop.alert).to_contain_text(XSS)
    for body in (
        order(plan=XSS, title=XSS, history=[{"at": XSS, "what": XSS}]),
        order(attempts=[{"status": "failed", "error_description": XSS}]),
        order(XSS),
    ):
        shop.answers["order"] = body
        page.goto("about:blank")
        page.goto(LINK)
        expect(page.locator("#order .receipt")).to_be_visible()
        expect(page.locator("#order")).to_contain_text(XSS)
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.__xss") is None


@pytest.mark.parametrize(
    "stored",
    [
        "{",
        "[]",
        "null",
        '{"step": 7, "plan": {}, "challenge": {"id": 1}, "verification": "x", "buyer": []}',
        '{"step": "pay", "plan": "__proto__", "email": "<b>", "buyer": {"name": 1}}',
    ],
)
def test_hostile_storage(page: Page, stored: str) -> None:
    shop = Shop(page)
    page.goto("/terms.html")
    page.evaluate("text => sessionStorage.setItem('tracemypods.buying', text)", stored)
    shop.start()
    shop.wait_for_step("Choose a plan")


def test_what_is_not_there_is_done_without(page: Page) -> None:
    """Older and newer services may leave things out."""
    shop = Shop(page)
    bare = {"order_id": "ord_1", "status": "paid", "plan": "gone", "price": order()["price"]}
    shop.answers["order"] = bare
    page.goto(LINK)
    expect(shop.heading).to_contain_text("Your payment has arrived")


# what the page's policy lets in


def test_razorpays_script_may_run_on_this_page_and_no_other(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    blocked: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            blocked.append(message.text)

    page.on("console", listen)
    shop = Shop(page)
    markup = '<i style="color: red">x</i>'
    script = f"{SCRIPT} document.body.insertAdjacentHTML('beforeend', '{markup}');"
    page.route(
        "https://checkout.razorpay.com/v1/checkout.js",
        lambda route: route.fulfill(content_type="text/javascript", body=script),
    )
    here = {**order()["razorpay"], "checkout_url": "https://checkout.razorpay.com/v1/checkout.js"}
    shop.open_order(razorpay=here)
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    assert blocked == []
    page.goto("/chat.html")
    load = """() => new Promise((resolve) => {
        const script = document.createElement("script");
        script.onload = () => resolve("loaded");
        script.onerror = () => resolve("refused");
        try {
            script.src = "https://checkout.razorpay.com/v1/checkout.js";
        } catch {
            resolve("refused");
        }
        document.head.append(script);
    })"""
    assert page.evaluate(load) == "refused"
    context.close()


# what the page and the services must agree about

PARITY = """async (gstins) => {
    const { STATES, countries } = await import("/pay/places.js");
    const { gstinProblem } = await import("/pay/gstin.js");
    return {
        states: STATES,
        countries: countries(),
        good: gstins.map((one) => gstinProblem(one, "") === ""),
    };
}"""


def mistyped() -> list[str]:
    """A GSTIN with one character changed, for every place and some characters."""
    changed = [GSTIN[:at] + to + GSTIN[at + 1 :] for at in range(15) for to in "09AFVZ"]
    return [GSTIN, "29AAGCB7383J1Z4", "24AAACC1206D1ZM", *changed]


def test_places_and_gstins_are_the_services_own(page: Page) -> None:
    page.goto("/pay.html")
    gstins = mistyped()
    found: dict[str, Any] = page.evaluate(PARITY, gstins)
    assert found["states"] == gst.STATES
    assert found["good"] == [gst.gstin_problem(one) is None for one in gstins]
    codes = [one["code"] for one in found["countries"]]
    assert codes[0] == "IN"
    assert len(set(codes)) == 249
    assert all(re.fullmatch("[A-Z]{2}", code) for code in codes)
    names = {one["code"]: one["name"] for one in found["countries"]}
    assert names["SE"] == "Sweden"


def test_the_token_of_another_purchase_is_pointed_out(page: Page) -> None:
    shop = Shop(page)
    page.goto("/terms.html")
    page.evaluate(
        "token => localStorage.setItem('tracemypods.token', JSON.stringify("
        "{token, plan: 'premium', expires_at: '2099-01-01T00:00:00Z'}))",
        TOKEN,
    )
    shop.open_order("fulfilled", shown=True)
    expect(page.locator("#order")).to_contain_text("uses a premium token already")
