"""The page of buying against a shop that answers as a test wants it to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import problem

ORDER = "ord_0199c0de00007000800000000000abcd"
SECRET = "s3cret-of-the-order"
LINK = f"/pay.html#order={ORDER}&secret={SECRET}"
TOKEN = "tmpods_premium_0123456789abcdefghijABCDEFGHIJ"
GSTIN = "27AAPFU0939F1ZV"
CHECKOUT = "/local/razorpay/checkout.js"

PLANS = [
    {
        "id": "premium-30",
        "title": "Premium, 30 days",
        "notes": "The same small weights as the free model, with twice the context.",
        "price": 9900,
        "currency": "INR",
        "days": 30,
        "limits": {
            "Context": "4,096 tokens and more",
            "Answers": "up to 2,048 tokens and more",
            "Queue": "before free tokens",
        },
        "available": True,
    },
    {
        "id": "premium-365",
        "title": "Premium, one year",
        "notes": "The same for a year, at the price of ten months.",
        "price": 99000,
        "currency": "INR",
        "days": 365,
        "limits": {"Context": "4,096 tokens and more", "Queue": "before free tokens"},
        "available": True,
    },
    {
        "id": "large",
        "title": "Large models",
        "notes": "",
        "price": 1_250_000,
        "currency": "INR",
        "days": 30,
        "limits": {},
        "available": False,
        "reason": "None of its models is installed here.",
    },
]

PRICE = {
    "total": 9900,
    "taxable": 8390,
    "taxes": [
        {"name": "CGST", "rate_percent": 9, "amount": 755},
        {"name": "SGST", "rate_percent": 9, "amount": 755},
    ],
    "currency": "INR",
}

# Stands in for Razorpay's script: it shows nothing, and does what a test says with window.rzp.
SCRIPT = """
window.rzp = [];
window.Razorpay = class {
    constructor(options) { this.options = options; this.listeners = {}; }
    on(event, listener) { this.listeners[event] = listener; }
    open() { window.rzp.push(this); }
};
"""


def order(status: str = "awaiting_payment", **more: Any) -> dict[str, Any]:
    """An order as the service shows it; `paid`, `issued`, `shown` and `invoice` are its steps."""
    paid = status not in ("awaiting_payment", "expired")
    steps = {
        "paid": more.pop("paid", paid),
        "token_issued": more.pop("issued", paid and status != "paid"),
        "token_shown": more.pop("shown", False),
        "invoice": more.pop("invoice", None),
    }
    razorpay = {
        "order_id": "order_R1",
        "amount": 9900,
        "currency": "INR",
        "key_id": "rzp_test_1",
        "checkout_url": CHECKOUT,
    }
    return {
        "order_id": ORDER,
        "status": status,
        "plan": "premium-30",
        "price": PRICE,
        "created_at": "2026-11-24T10:00:00Z",
        "livemode": False,
        "steps": steps,
        "attempts": [],
        "history": [{"at": "2026-11-24T10:00:00Z", "what": "created"}],
        **({"razorpay": razorpay} if status == "awaiting_payment" else {}),
        **more,
    }


class Shop:
    """The page as a buyer uses it, and the services behind it.

    `answers` holds what each route answers, by its name: a body, or (status, body, headers);
    `asked` what each was asked. `once_paid` is the order as it is from the moment on in which the
    page tells of the payment: the page may read it at any time.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: dict[str, Any] = {
            "plans": {"livemode": False, "sandbox": True, "inbox": "/local/inbox/", "items": PLANS},
            "send": (202, {"challenge_id": "chl_1", "expires_in": 300, "resend_after": 60}, {}),
            "verify": {"verification": "ver_1", "expires_in": 1800},
            "quote": {"price": PRICE},
            "create": (201, self.created(), {}),
            "paid": {"status": "fulfilled", "token": TOKEN, "expires_at": "2026-12-24T10:00:00Z"},
            "order": order(),
            "token": {"token": TOKEN, "expires_at": "2026-12-24T10:00:00Z"},
        }
        self.once_paid: dict[str, Any] | None = None
        self.asked: dict[str, list[dict[str, Any]]] = {name: [] for name in self.answers}
        self.heading = page.locator("main h2:visible")
        self.alert = page.locator(".problem:visible")
        for path, name in (
            ("/order/plans", "plans"),
            ("/send-otp", "send"),
            ("/verify-otp", "verify"),
            ("/order/quote", "quote"),
            ("/create-order", "create"),
            ("/verify-payment", "paid"),
            (f"/order/{ORDER}", "order"),
            (f"/order/{ORDER}/token", "token"),
        ):
            page.route(f"**{path}", self._answering(name))
        page.route(
            f"**{CHECKOUT}",
            lambda route: route.fulfill(content_type="text/javascript", body=SCRIPT),
        )

    @staticmethod
    def created() -> dict[str, Any]:
        """A new order."""
        made = order()
        return {
            "order_id": ORDER,
            "order_secret": SECRET,
            "price": PRICE,
            "razorpay": made["razorpay"],
            "livemode": False,
        }

    def _answering(self, name: str) -> Callable[[Route], None]:
        return lambda route: self._answer(route, name)

    def _answer(self, route: Route, name: str) -> None:
        request = route.request
        self.asked[name].append({"headers": request.headers, "body": request.post_data_json})
        if name == "paid" and self.once_paid is not None:
            self.answers["order"] = self.once_paid
        answer = self.answers[name]
        if answer is None:
            route.abort()
            return
        status, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        kind = "application/json" if status < 400 else "application/problem+json"
        route.fulfill(
            status=status,
            headers={"content-type": kind, **headers},
            body=body if isinstance(body, str) else json.dumps(body),
        )

    def refuse(self, name: str, code: str, status: int, **more: Any) -> None:
        """From now on a route answers with a problem; `retry_after` goes into its header."""
        retry = more.pop("retry_after", None)
        headers = {} if retry is None else {"retry-after": str(retry)}
        self.answers[name] = (status, problem(code, status, **more), headers)

    def bodies(self, name: str) -> list[Any]:
        """What a route was sent."""
        return [one["body"] for one in self.asked[name]]

    def button(self, name: str) -> Locator:
        """A button that can be seen."""
        return self.page.get_by_role("button", name=name)

    def wait_for_step(self, title: str) -> None:
        """Wait until a step with this title is shown."""
        expect(self.heading).to_contain_text(title)

    def start(self) -> Shop:
        """Open the page."""
        self.page.goto("/pay.html")
        expect(self.page.locator(".plan").first).to_be_visible()
        return self

    def to_email(self) -> Shop:
        """Choose the first plan."""
        self.start()
        self.button("Choose this plan Premium, 30 days").click()
        self.wait_for_step("Confirm your e-mail address")
        return self

    def to_code(self) -> Shop:
        """Have a code sent."""
        self.to_email()
        self.page.get_by_label("E-mail address").fill("asha@example.org")
        self.button("Send me a code").click()
        expect(self.code).to_be_focused()
        return self

    def to_buyer(self) -> Shop:
        """Type the code."""
        self.to_code()
        self.code.fill("123456")
        self.wait_for_step("Who buys?")
        return self

    def fill_buyer(self, gstin: str = "") -> None:
        """Fill the form as a person in Mumbai does."""
        self.page.get_by_label("Name").fill("Asha Rao")
        self.page.get_by_label("Country").select_option("IN")
        self.page.get_by_label("State").select_option("27")
        self.page.get_by_label("GSTIN").fill(gstin)

    def to_review(self) -> Shop:
        """Say who buys."""
        self.to_buyer()
        self.fill_buyer()
        self.button("See the price with tax").click()
        self.wait_for_step("Check and pay")
        expect(self.button("Pay ₹99.00")).to_be_visible()
        return self

    def to_checkout(self) -> Shop:
        """Make the order; Razorpay's window opens."""
        self.to_review()
        self.button("Pay ₹99.00").click()
        self.wait_for_checkout()
        return self

    def wait_for_checkout(self, count: int = 1) -> None:
        """Wait until Razorpay's window has been opened so many times."""
        self.page.wait_for_function("count => window.rzp?.length === count", arg=count)

    def pay_there(self) -> None:
        """Razorpay's window says that the payment was made."""
        self.page.evaluate(
            """rzp.at(-1).options.handler({
                razorpay_order_id: "order_R1",
                razorpay_payment_id: "pay_R1",
                razorpay_signature: "abcd",
            })"""
        )

    def fail_there(self, description: str) -> None:
        """Razorpay's window says that an attempt failed."""
        self.page.evaluate(
            "text => rzp.at(-1).listeners['payment.failed']({error: {description: text}})",
            description,
        )

    def close_there(self) -> None:
        """The person closes Razorpay's window."""
        self.page.evaluate("rzp.at(-1).options.modal.ondismiss()")

    def open_order(self, status: str = "awaiting_payment", **more: Any) -> Shop:
        """Come back by an order's link."""
        self.answers["order"] = order(status, **more)
        self.page.goto(LINK)
        expect(self.page.locator("#order .receipt")).to_be_visible()
        return self

    @property
    def code(self) -> Locator:
        """The field for the code."""
        return self.page.get_by_label("Code", exact=True)

    @property
    def fragment(self) -> str:
        """What is in the address bar behind the number sign."""
        return urlsplit(self.page.url).fragment
