"""An order after it was made: paying it, waiting, coming back to it, and its token."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.shop import LINK, ORDER, SECRET, TOKEN, Shop, order


@pytest.fixture
def shop(page: Page) -> Shop:
    """The page of buying, not opened yet."""
    return Shop(page)


# paying


def test_the_window_is_closed_and_opened_again(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    expect(shop.button("The payment window is open…")).to_have_attribute("aria-disabled", "true")
    shop.close_there()
    expect(shop.heading).to_contain_text("Your order waits for payment")
    expect(shop.alert).to_have_count(0)
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout(2)
    assert len(shop.asked["create"]) == 1


def test_a_failed_payment_is_tried_again_on_the_same_order(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    shop.fail_there("<b>Your bank</b> declined the payment.")
    shop.close_there()
    expect(shop.alert).to_contain_text("The last payment failed")
    expect(shop.alert).to_contain_text("<b>Your bank</b> declined the payment.")
    expect(shop.alert).to_contain_text("don't pay again yet")
    shop.button("Try again: pay ₹99.00").click()
    shop.wait_for_checkout(2)
    expect(shop.alert).to_have_count(0)
    orders = page.evaluate("rzp.map(one => one.options.order_id)")
    assert orders == ["order_R1", "order_R1"]
    shop.once_paid = order("fulfilled", shown=True)
    shop.pay_there()
    expect(page.locator(".token-text")).to_have_text(TOKEN)


def test_an_attempt_that_failed_elsewhere_is_told(page: Page, shop: Shop) -> None:
    shop.open_order(attempts=[{"status": "failed", "error_description": "Card expired."}])
    expect(shop.alert).to_contain_text("Card expired.")
    shop.button("Try again: pay ₹99.00").click()
    shop.wait_for_checkout()
    assert page.evaluate("rzp[0].options.prefill") == {}


def test_paid_but_no_token_yet(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.to_checkout()
    shop.answers["paid"] = {"status": "paid"}
    shop.once_paid = order("paid")
    shop.pay_there()
    expect(shop.heading).to_contain_text("Your payment has arrived")
    expect(shop.heading).to_be_focused()
    expect(page.get_by_role("list", name="Progress")).to_contain_text("Tokenbeing made")
    # The payment is said again until the token has come with the answer.
    shop.answers["paid"] = {"status": "fulfilled", "token": TOKEN}
    shop.once_paid = order("fulfilled", shown=True, invoice="pending")
    page.clock.run_for(10_000)
    expect(page.locator(".token-text")).to_have_text(TOKEN)
    expect(page.locator("#announcements")).to_contain_text("Here is your premium token.")
    expect(page.get_by_role("list", name="Progress")).to_contain_text("Invoicecomes by e-mail")


def test_the_payment_is_made_and_the_service_does_not_answer(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.to_checkout()
    paid, shop.answers["paid"] = shop.answers["paid"], None
    shop.pay_there()
    expect(shop.heading).to_contain_text("Your payment is being confirmed")
    expect(page.locator("#order")).to_contain_text("Don't pay again.")
    expect(shop.alert).to_contain_text("The connection failed")
    expect(shop.button("Pay ₹99.00")).to_have_count(0)
    shop.answers["paid"] = paid
    shop.answers["order"] = order("fulfilled", shown=True)
    page.clock.run_for(10_000)
    expect(page.locator(".token-text")).to_have_text(TOKEN)
    expect(shop.alert).to_have_count(0)


def test_the_order_is_fulfilled_before_the_windows_word_arrives(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.to_checkout()
    shop.answers["order"] = order("fulfilled")
    page.clock.run_for(3_000)
    expect(shop.heading).to_contain_text("Your token is ready")
    shop.answers["paid"] = None
    shop.pay_there()
    expect(shop.heading).to_contain_text("Your payment has arrived")
    shop.answers["paid"] = {"status": "fulfilled", "token": TOKEN}
    page.clock.run_for(10_000)
    expect(page.locator(".token-text")).to_have_text(TOKEN)


def test_the_windows_word_is_refused(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    shop.refuse("paid", "signature_invalid", 403)
    shop.pay_there()
    expect(shop.alert).to_contain_text("The payment window's word was not accepted")
    expect(shop.heading).to_contain_text("Your order waits for payment")


# coming back


def test_a_payment_that_nobody_told_the_page_about(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.open_order()
    shop.answers["order"] = order("fulfilled")
    page.clock.run_for(5_000)
    expect(shop.heading).to_contain_text("Your token is ready")
    expect(page.locator("#announcements")).to_contain_text("Your token is ready.")


def test_the_order_is_asked_for_with_growing_gaps(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.open_order()
    for _ in range(9):
        with page.expect_response(f"**/order/{ORDER}"):
            page.clock.run_for(31_000)
    asked = len(shop.asked["order"])
    page.clock.run_for(10_000)  # at first it was asked for after two seconds
    assert len(shop.asked["order"]) == asked
    with page.expect_response(f"**/order/{ORDER}"):
        page.clock.run_for(31_000)


def test_coming_back_to_the_page_asks_at_once(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.open_order()
    page.evaluate(
        """Object.defineProperty(document, "visibilityState", {get: () => window.seen});
        window.seen = "hidden";"""
    )
    page.clock.run_for(120_000)
    assert len(shop.asked["order"]) == 1  # nobody looks
    shop.answers["order"] = order("fulfilled")
    page.evaluate("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
    expect(shop.heading).to_contain_text("Your token is ready")


def test_reading_fails_for_a_while(page: Page, shop: Shop) -> None:
    page.clock.install()
    shop.open_order()
    shop.answers["order"] = None
    page.clock.run_for(3_000)
    expect(shop.alert).to_contain_text("The connection failed")
    expect(shop.button("Pay ₹99.00")).to_be_visible()
    shop.answers["order"] = order("paid")
    shop.button("Look again").click()
    expect(shop.heading).to_contain_text("Your payment has arrived")
    expect(shop.alert).to_have_count(0)


def test_an_order_that_cannot_be_read_yet(page: Page, shop: Shop) -> None:
    shop.refuse("order", "store_unavailable", 503)
    page.goto(LINK)
    expect(shop.alert).to_contain_text("title of store_unavailable")
    shop.answers["order"] = order()
    shop.button("Try again").click()
    expect(shop.button("Pay ₹99.00")).to_be_visible()


@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_link_that_leads_nowhere(page: Page, shop: Shop, status: int) -> None:
    shop.refuse("order", "order_unknown", status)
    page.goto(LINK)
    expect(shop.alert).to_contain_text("This link leads to no order")
    shop.button("Begin a new order").click()
    expect(page.locator(".plan")).to_have_count(3)
    assert shop.fragment == ""


@pytest.mark.parametrize("fragment", [f"order={ORDER}", f"secret={SECRET}", "order=&secret="])
def test_a_link_of_which_a_part_is_missing(page: Page, shop: Shop, fragment: str) -> None:
    page.goto(f"/pay.html#{fragment}")
    expect(shop.alert).to_contain_text("A part of it may be missing")
    assert shop.asked["order"] == []


def test_another_link_in_the_same_tab(page: Page, shop: Shop) -> None:
    shop.start()
    page.evaluate("link => { location.href = link }", LINK)
    expect(shop.button("Pay ₹99.00")).to_be_visible()


def test_the_way_back_is_given_and_told_to_nobody(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    link = page.get_by_label("Link to this order")
    expect(link).to_have_value(page.url)
    assert shop.fragment == f"order={ORDER}&secret={SECRET}"
    requests = [one for asked in shop.asked.values() for one in asked]
    assert [one for one in requests if "referer" in one["headers"]] == []
    page.goto("about:blank")
    page.goto(LINK)
    expect(shop.button("Pay ₹99.00")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "more", "title", "text"),
    [
        ("refunding", {}, "Your payment goes back", "A refund has been begun"),
        ("refunded", {}, "Your payment was refunded", "the token has ended"),
        ("partially_refunded", {}, "A part of your payment was refunded", "the token goes on"),
        ("disputed", {}, "The payment is disputed", "the token rests"),
        ("dispute_lost", {}, "The payment was taken back", "the token has ended"),
        ("expired", {}, "This order has expired", "a payment that arrives late still counts"),
        ("fulfilled", {"shown": True}, "Your token was shown already", "have it again"),
        ("something_new", {}, "Your order", "Its state is “something_new”"),
    ],
)
def test_every_state_is_told(
    page: Page, shop: Shop, status: str, more: dict[str, Any], title: str, text: str
) -> None:
    shop.open_order(status, **more)
    expect(shop.heading).to_contain_text(title)
    expect(page.locator("#order .lead")).to_contain_text(text)
    expect(page.get_by_label("Link to this order")).to_be_visible()
    can_have_it = status in ("partially_refunded", "fulfilled")
    expect(page.get_by_label("E-mail address")).to_have_count(1 if can_have_it else 0)


def test_a_new_order_after_one_that_expired_has_a_key_of_its_own(page: Page, shop: Shop) -> None:
    shop.to_checkout()
    shop.answers["order"] = order("expired")
    shop.close_there()
    shop.button("Begin a new order").click()
    shop.button("Go on with this plan Premium, 30 days").click()
    shop.wait_for_step("Who buys?")
    shop.button("See the price with tax").click()
    shop.answers["order"] = order()
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    keys = {one["headers"]["idempotency-key"] for one in shop.asked["create"]}
    assert len(keys) == 2


# the token again


def test_the_token_is_had_again_by_code(page: Page, shop: Shop) -> None:
    shop.open_order("fulfilled", shown=True)
    page.get_by_label("E-mail address").fill("asha@example.org")
    shop.button("Send me a code").click()
    shop.code.fill("123456")
    expect(page.locator(".token-text")).to_have_text(TOKEN)
    expect(shop.heading).to_be_focused()
    wish = {"email": "asha@example.org", "purpose": "token", "order_id": ORDER}
    assert shop.bodies("send") == [wish]
    assert shop.bodies("token") == [{"verification": "ver_1"}]
    page.reload()
    expect(shop.heading).to_contain_text("Your token was shown already")
    expect(page.locator(".token-text")).to_have_count(0)


def test_a_token_that_is_not_given(page: Page, shop: Shop) -> None:
    shop.open_order("fulfilled", shown=True)
    good = shop.answers["token"]
    shop.answers["token"] = None
    page.get_by_label("E-mail address").fill("asha@example.org")
    shop.button("Send me a code").click()
    shop.code.fill("123456")
    expect(shop.alert).to_contain_text("The connection failed")
    shop.refuse("token", "verification_invalid", 401)
    shop.button("Try again").click()
    expect(shop.alert).to_contain_text("confirm your e-mail address once more")
    shop.answers["token"] = good
    shop.button("Confirm the address again").click()
    expect(page.get_by_label("E-mail address")).to_be_focused()
    shop.button("Send me a code").click()
    shop.code.fill("123456")
    expect(page.locator(".token-text")).to_have_text(TOKEN)


# reloading


def test_every_step_survives_a_reload(page: Page, shop: Shop) -> None:
    shop.to_email()
    page.reload()
    shop.wait_for_step("Confirm your e-mail address")
    page.get_by_label("E-mail address").fill("asha@example.org")
    shop.button("Send me a code").click()
    expect(shop.code).to_be_visible()
    page.reload()
    expect(shop.code).to_be_visible()
    expect(page.locator(".sent-to")).to_contain_text("asha@example.org")
    shop.code.fill("123456")
    shop.wait_for_step("Who buys?")
    page.reload()
    shop.wait_for_step("Who buys?")
    shop.fill_buyer("29AAGCB7383J1Z4")
    page.get_by_label("Name").press("Tab")
    page.reload()
    expect(page.get_by_label("Name")).to_have_value("Asha Rao")
    expect(page.get_by_label("GSTIN")).to_have_value("29AAGCB7383J1Z4")
    page.get_by_label("GSTIN").fill("")
    shop.button("See the price with tax").click()
    shop.wait_for_step("Check and pay")
    page.reload()
    shop.wait_for_step("Check and pay")
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    page.reload()
    shop.wait_for_step("Your order waits for payment")
    shop.button("Pay ₹99.00").click()
    shop.wait_for_checkout()
    assert page.evaluate("rzp[0].options.prefill.email") == "asha@example.org"
    assert len(shop.bodies("send")) == 1
    assert len(shop.bodies("create")) == 1


def test_a_reload_while_the_order_is_being_made_makes_no_second_one(page: Page, shop: Shop) -> None:
    held: list[Route] = []
    shop.to_review()
    page.route("**/create-order", lambda route: held.append(route))
    with page.expect_request("**/create-order") as first:
        shop.button("Pay ₹99.00").click()
    page.reload()
    with page.expect_request("**/create-order") as second:
        shop.button("Pay ₹99.00").click()
    keys = [one.value.headers["idempotency-key"] for one in (first, second)]
    assert keys[0] == keys[1]
    assert re.fullmatch(r"[0-9a-f]{32}", keys[0])


def test_an_old_confirmation_is_not_built_upon(page: Page, shop: Shop) -> None:
    shop.to_buyer()
    page.evaluate(
        """() => {
            const draft = JSON.parse(sessionStorage["tracemypods.buying"]);
            draft.verification.until = Date.now() - 1;
            sessionStorage["tracemypods.buying"] = JSON.stringify(draft);
        }"""
    )
    page.reload()
    shop.wait_for_step("Confirm your e-mail address")
