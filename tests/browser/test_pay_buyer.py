"""Buying: who buys, the last look, and the order that is made then."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import (
    CHECKOUT,
    GSTIN,
    ORDER,
    PLANS,
    PRICE,
    SCRIPT,
    Shop,
    order,
)


@pytest.fixture
def shop(page: Page) -> Shop:
    """The page of buying, not opened yet."""
    return Shop(page)


# who buys


def test_what_is_missing_is_said_beside_the_fields(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    shop.button("See the price with tax").click()
    summary = page.get_by_role("group", name="2 things need correcting")
    expect(summary).to_be_focused()
    for label, said in (("Name", "Write your name"), ("Country", "Choose your country")):
        field = page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(said))
    summary.get_by_role("link", name="Country").click()
    expect(page.get_by_label("Country")).to_be_focused()
    assert shop.asked["quote"] == []


def test_a_buyer_abroad_has_no_state(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    page.get_by_label("Name").fill("  Åsa   Berg ")
    page.get_by_label("Country").select_option(label="Sweden")
    expect(page.get_by_label("State")).to_be_hidden()
    expect(page.get_by_label("GSTIN")).to_be_hidden()
    shop.answers["quote"] = {"price": {**PRICE, "taxable": 9900, "taxes": []}}
    shop.button("See the price with tax").click()
    expect(page.locator("#review .receipt")).to_contain_text("Åsa Berg")
    expect(page.locator("#review tr")).to_have_text(["Total₹99.00"])
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    assert shop.bodies("create")[0]["buyer"] == {"name": "Åsa Berg", "country": "SE"}


@pytest.mark.parametrize(
    ("gstin", "said"),
    [
        ("27AAPFU0939F1Z", "has 15 characters"),
        ("27AAPFU0939F1ZW", "mistyped"),
        ("27AAPFU0939F1VZ", "has 15 characters"),
        ("25AAPFU0939F1ZZ", "no state with the code 25"),
        ("29AAGCB7383J1Z4", "This GSTIN is of Karnataka"),
    ],
)
def test_a_gstin_that_does_not_hold(page: Page, shop: Shop, gstin: str, said: str) -> None:
    shop.to_buyer()
    shop.fill_buyer(gstin)
    field = page.get_by_label("GSTIN")
    field.press("Tab")
    expect(field).to_have_accessible_description(re.compile(said))
    shop.button("See the price with tax").click()
    expect(page.get_by_role("group", name="One thing needs correcting")).to_be_focused()
    assert shop.asked["quote"] == []
    field.fill(GSTIN)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    shop.button("See the price with tax").click()
    shop.wait_for_step("Check and pay")
    assert shop.bodies("quote")[0]["buyer"]["gstin"] == GSTIN


def test_a_gstin_chooses_its_state(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    page.get_by_label("Name").fill("Asha Rao")
    page.get_by_label("Country").select_option("IN")
    page.get_by_label("GSTIN").fill(" 29aagcb7383j1z4 ")
    shop.button("See the price with tax").click()
    shop.wait_for_step("Check and pay")
    expect(page.locator("#review .receipt")).to_contain_text("Karnataka, India")
    expect(page.locator("#review .receipt")).to_contain_text("29AAGCB7383J1Z4")


def test_a_quote_that_names_a_field(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    shop.fill_buyer()
    errors = [{"field": "buyer.country", "message": "this shop sells to buyers in India only"}]
    shop.refuse("quote", "invalid_request", 422, errors=errors)
    shop.button("See the price with tax").click()
    expect(page.get_by_label("Country")).to_have_accessible_description(
        re.compile("This shop sells to buyers in India only.")
    )


def test_a_quote_that_fails(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    shop.fill_buyer()
    quote = shop.answers["quote"]
    shop.answers["quote"] = None
    shop.button("See the price with tax").click()
    expect(shop.alert).to_contain_text("The connection failed")
    shop.answers["quote"] = quote
    shop.button("See the price with tax").click()
    shop.wait_for_step("Check and pay")


# before paying


def test_price_tax_and_total_before_paying(page: Page, shop: Shop) -> None:
    shop.to_review()
    expect(page.locator("#review tr")).to_have_text(
        ["Price without tax₹83.90", "CGST 9 %₹7.55", "SGST 9 %₹7.55", "Total₹99.00"]
    )
    expect(page.locator("#review")).to_contain_text("nothing renews by itself")
    assert page.evaluate("typeof Razorpay") == "undefined"  # nothing of it before it is needed


def test_steps_can_be_gone_back_to(page: Page, shop: Shop) -> None:
    shop.to_review()
    row = page.get_by_role("navigation", name="Steps")
    row.get_by_role("button", name="You").click()
    shop.wait_for_step("Who buys?")
    expect(page.get_by_label("Name")).to_have_value("Asha Rao")
    row.get_by_role("button", name="E-mail").click()
    expect(page.locator("#email")).to_contain_text("asha@example.org is confirmed.")
    row.get_by_role("button", name="Plan").click()
    shop.button("Choose this plan Premium, one year").click()
    shop.wait_for_step("Who buys?")  # the address is confirmed already
    expect(page.locator("#chosen")).to_contain_text("Premium, one year")
    shop.button("See the price with tax").click()
    shop.wait_for_step("Check and pay")
    assert [one["plan"] for one in shop.bodies("quote")] == ["premium-30", "premium-365"]


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("too_many_open_orders", 409, "Too many orders wait for payment"),
        ("payment_unavailable", 503, "Payments can't be taken just now"),
        ("gateway_timeout", 504, "can't be reached behind its gateway"),
        (None, 0, "The connection failed"),
    ],
)
def test_an_order_that_is_not_made(shop: Shop, code: str | None, status: int, said: str) -> None:
    shop.to_review()
    created = shop.answers["create"]
    if code is None:
        shop.answers["create"] = None
    else:
        shop.refuse("create", code, status)
    shop.button("Pay ₹99.00").click()
    expect(shop.alert).to_contain_text(said)
    shop.answers["create"] = created
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    keys = [one["headers"]["idempotency-key"] for one in shop.asked["create"]]
    assert keys[0] == keys[1]  # it is the same order, whatever became of the first request


def test_a_confirmation_that_is_over(page: Page, shop: Shop) -> None:
    shop.to_review()
    created = shop.answers["create"]
    shop.refuse("create", "verification_invalid", 401)
    shop.button("Pay ₹99.00").click()
    shop.wait_for_step("Confirm your e-mail address")
    expect(shop.alert).to_contain_text("confirm your e-mail address once more")
    expect(page.get_by_label("E-mail address")).to_have_value("asha@example.org")
    shop.answers["create"] = created
    shop.answers["verify"] = {"verification": "ver_2", "expires_in": 1800}
    shop.button("Send me a code").click()
    shop.code.fill("123456")
    shop.wait_for_step("Who buys?")
    shop.button("See the price with tax").click()
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    assert [one["verification"] for one in shop.bodies("create")] == ["ver_1", "ver_2"]
    keys = [one["headers"]["idempotency-key"] for one in shop.asked["create"]]
    assert keys[0] != keys[1]


def test_a_plan_that_has_gone(page: Page, shop: Shop) -> None:
    shop.to_review()
    shop.refuse("create", "plan_unavailable", 409, detail="Its model has gone away.")
    gone = [{**PLANS[0], "available": False, "reason": "No model."}, *PLANS[1:]]
    shop.answers["plans"] = {**shop.answers["plans"], "items": gone}
    shop.button("Pay ₹99.00").click()
    shop.wait_for_step("Choose a plan")
    expect(shop.alert).to_contain_text("Its model has gone away.")
    expect(page.locator(".plan").first).to_contain_text("No model.")


def test_a_buyer_that_is_refused(page: Page, shop: Shop) -> None:
    shop.to_review()
    errors = [{"field": "buyer.name", "message": "it has characters that cannot be printed"}]
    shop.refuse("create", "invalid_request", 422, errors=errors)
    shop.button("Pay ₹99.00").click()
    shop.wait_for_step("Who buys?")
    expect(page.get_by_label("Name")).to_have_accessible_description(
        re.compile("It has characters that cannot be printed.")
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://checkout.razorpay.com.elsewhere.invalid/v1/checkout.js",
        "https://checkout.razorpay.com/v2/checkout.js",
        "//elsewhere.invalid/local/razorpay/checkout.js",
        "/pay/pay.js",
        "javascript:alert(1)",
        "data:text/javascript,alert(1)",
        "",
    ],
)
def test_no_other_script_is_loaded(page: Page, shop: Shop, address: str) -> None:
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    here = {**order()["razorpay"], "checkout_url": address}
    shop.open_order(razorpay=here)
    seen.clear()
    shop.button("Pay ₹99.00").click()
    expect(shop.alert).to_contain_text("The payment window was not opened")
    assert [url for url in seen if not url.endswith(ORDER)] == []


def test_a_script_that_cannot_be_loaded(page: Page, shop: Shop) -> None:
    page.route(f"**{CHECKOUT}", lambda route: route.fulfill(status=200, body="// blocked"))
    shop.open_order()
    shop.button("Pay ₹99.00").click()
    expect(shop.alert).to_contain_text("The payment window could not be loaded")
    page.unroute(f"**{CHECKOUT}")
    page.route(
        f"**{CHECKOUT}",
        lambda route: route.fulfill(content_type="text/javascript", body=SCRIPT),
    )
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
