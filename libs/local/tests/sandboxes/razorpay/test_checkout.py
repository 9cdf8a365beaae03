"""The checkout's routes: pages that may run nothing of others, and nonces that work once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from razorpay import Client

from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.razorpay import KEY_ID, KEY_SECRET, RazorpaySandbox

FILES = {
    "/v1/checkout.js": "text/javascript",
    "/local/razorpay/checkout.js": "text/javascript",
    "/local/razorpay/frame.js": "text/javascript",
    "/local/razorpay/frame.css": "text/css",
    "/local/razorpay/checkout": "text/html",
    "/local/razorpay/closed": "text/html",
}


def post(sandbox: RazorpaySandbox, path: str, **asked: Any) -> httpx2.Response:
    """What the page calls: without any key."""
    return httpx2.post(f"{sandbox.url}/local/razorpay/checkout/{path}", json=asked)


def opened(sandbox: RazorpaySandbox, order_id: str) -> str:
    """The nonce of a checkout that was opened."""
    return post(sandbox, "open", key=KEY_ID, order_id=order_id).json()["nonce"]


@pytest.mark.parametrize(("path", "kind"), FILES.items())
def test_files(path: str, kind: str) -> None:
    with RazorpaySandbox(site_origins=("https://shop.example",)) as sandbox:
        response = httpx2.get(f"{sandbox.url}{path}")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'self' https://shop.example;" in policy
    if kind == "text/html":
        assert "Sandbox: no money moves" in response.text
        assert "<style" not in response.text
        assert " style=" not in response.text


def test_paid_in_the_checkout(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    shown = post(sandbox, "open", key=KEY_ID, order_id=order["id"]).json()
    nonce = shown.pop("nonce")
    assert shown == {"amount": 49900, "currency": "INR", "status": "created", "livemode": False}
    told = post(
        sandbox,
        "pay",
        nonce=nonce,
        outcome="success",
        email="asha@example.org",
        description="<b>Premium</b>",
        notes={"plan": "pro"},
    ).json()
    assert told["nonce"] is None
    client: Any = Client(auth=(KEY_ID, KEY_SECRET))
    assert client.utility.verify_payment_signature(told["payload"])
    (payment,) = sandbox.payments(order["id"])
    assert payment["email"] == "asha@example.org"
    assert payment["description"] == "<b>Premium</b>"
    assert payment["notes"] == {"plan": "pro"}
    assert post(sandbox, "pay", nonce=nonce, outcome="success").status_code == 403
    assert len(sandbox.payments(order["id"])) == 1


def test_failed_and_tried_again(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    nonce = opened(sandbox, order["id"])
    told = post(sandbox, "pay", nonce=nonce, outcome="failure").json()
    assert told["payload"]["error"]["metadata"]["order_id"] == order["id"]
    assert "razorpay_signature" not in told["payload"]
    again = post(sandbox, "pay", nonce=told["nonce"], outcome="success").json()
    assert again["payload"]["razorpay_order_id"] == order["id"]


def test_paid_and_closed(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    nonce = opened(sandbox, order["id"])
    told = post(sandbox, "pay", nonce=nonce, outcome="success", close_tab=True).json()
    assert told["payload"] is None
    assert sandbox.get(f"/v1/orders/{order['id']}")["status"] == "paid"


def test_an_order_that_is_paid_meanwhile(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    nonce = opened(sandbox, order["id"])
    sandbox.pay(order["id"])
    response = post(sandbox, "pay", nonce=nonce, outcome="success")
    assert (response.status_code, response.json()["code"]) == (409, "checkout_refused")


@pytest.mark.parametrize(
    "asked",
    [
        {"key": "rzp_test_Unknown0000000", "order_id": "order_00000000000000"},
        {"key": KEY_ID, "order_id": "order_00000000000000"},
        {"key": KEY_ID, "order_id": "x"},
    ],
)
def test_what_cannot_be_opened(refusing: RazorpaySandbox, asked: dict[str, str]) -> None:
    response = post(refusing, "open", **asked)
    assert (response.status_code, response.json()["code"]) == (409, "checkout_refused")


def test_a_checkout_that_was_open_for_too_long(
    make_razorpay: Callable[..., RazorpaySandbox],
) -> None:
    clock = MovableClock(datetime(2030, 1, 1, tzinfo=UTC))
    sandbox = make_razorpay(clock=clock)
    nonce = opened(sandbox, sandbox.order()["id"])
    clock.move(hours=1)
    response = post(sandbox, "pay", nonce=nonce, outcome="success")
    assert (response.status_code, response.json()["code"]) == (403, "checkout_expired")
    assert post(sandbox, "pay", nonce="made-up", outcome="success").status_code == 403
