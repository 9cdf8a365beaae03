"""Payments: success, failure, capture, and what an order says meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import razorpay
from razorpay.errors import BadRequestError, SignatureVerificationError

from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.razorpay import KEY_ID, KEY_SECRET, RazorpaySandbox


def official(sandbox: RazorpaySandbox) -> Any:
    """The official package's client."""
    return razorpay.Client(auth=(KEY_ID, KEY_SECRET), base_url=sandbox.url)


def test_a_payment_has_the_documented_fields(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"], email="asha@example.org", contact="+919000090000")
    (payment,) = sandbox.payments(order["id"])
    assert re.fullmatch(r"pay_[A-Za-z0-9]{14}", payment["id"])
    assert sandbox.get(f"/v1/payments/{payment['id']}") == payment
    assert set(payment) == {
        *("id", "entity", "amount", "currency", "status", "order_id", "invoice_id"),
        *("international", "method", "amount_refunded", "refund_status", "captured"),
        *("description", "card_id", "bank", "wallet", "vpa", "email", "contact", "notes"),
        *("fee", "tax", "error_code", "error_description", "error_source", "error_step"),
        *("error_reason", "acquirer_data", "created_at", "upi"),
    }
    assert payment["status"] == "captured"
    assert payment["captured"] is True
    assert (payment["amount"], payment["fee"], payment["tax"]) == (49900, 1177, 179)
    assert payment["email"] == "asha@example.org"
    assert payment["error_code"] is None


def test_an_order_goes_from_created_to_paid(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"], "failure")
    order = sandbox.get(f"/v1/orders/{order['id']}")
    assert (order["status"], order["attempts"], order["amount_paid"]) == ("attempted", 1, 0)
    sandbox.pay(order["id"])
    order = sandbox.get(f"/v1/orders/{order['id']}")
    assert (order["status"], order["attempts"]) == ("paid", 2)
    assert (order["amount_paid"], order["amount_due"]) == (49900, 0)


def test_the_official_package_accepts_the_signature(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    payload = sandbox.pay(order["id"])
    assert payload is not None
    assert set(payload) == {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}
    utility = official(sandbox).utility
    assert utility.verify_payment_signature(payload)
    for name in payload:
        changed = {**payload, name: payload[name][:-1] + ("0" if payload[name][-1] != "0" else "1")}
        with pytest.raises(SignatureVerificationError):
            utility.verify_payment_signature(changed)


def test_the_official_package_works(sandbox: RazorpaySandbox) -> None:
    client = official(sandbox)
    order = client.order.create({"amount": 49900, "currency": "INR", "receipt": "ord_1"})
    sandbox.pay(order["id"])
    (payment,) = client.order.payments(order["id"])["items"]
    assert client.payment.fetch(payment["id"])["status"] == "captured"
    refund = client.payment.refund(payment["id"], {"amount": 100})
    assert client.refund.fetch(refund["id"]) == refund
    assert client.order.all({"receipt": "ord_1"})["count"] == 1
    assert client.dispute.all()["count"] == 0
    with pytest.raises(BadRequestError, match="receipt should be unique"):
        client.order.create({"amount": 49900, "currency": "INR", "receipt": "ord_1"})
    client.session.close()


def test_a_failure_is_told_as_documented(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    payload = sandbox.pay(order["id"], "failure")
    (payment,) = sandbox.payments(order["id"])
    assert payload == {
        "error": {
            "code": "BAD_REQUEST_ERROR",
            "description": "Payment failed",
            "field": None,
            "source": "bank",
            "step": "payment_authorization",
            "reason": "payment_failed",
            "metadata": {"payment_id": payment["id"], "order_id": order["id"]},
        }
    }
    assert payment["status"] == "failed"
    assert payment["error_reason"] == "payment_failed"
    assert payment["fee"] is None


def test_an_order_is_paid_once(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"])
    response = sandbox.control.post(
        "/pay", json={"razorpay_order_id": order["id"], "outcome": "success"}
    )
    assert response.status_code == 400
    assert "already paid" in response.json()["error"]["description"]
    assert len(sandbox.payments(order["id"])) == 1


@pytest.mark.parametrize("by", [{"payment": {"capture": "manual"}}, {"payment_capture": 0}])
def test_a_payment_that_is_captured_by_hand(sandbox: RazorpaySandbox, by: dict[str, Any]) -> None:
    order = sandbox.order(**by)
    sandbox.pay(order["id"])
    (payment,) = sandbox.payments(order["id"])
    assert (payment["status"], payment["captured"]) == ("authorized", False)
    assert sandbox.get(f"/v1/orders/{order['id']}")["status"] == "attempted"
    path = f"/v1/payments/{payment['id']}/capture"

    def description(**asked: Any) -> str:
        response = sandbox.api.post(path, json=asked)
        assert response.status_code == 400
        return response.json()["error"]["description"]

    assert "equal to the amount authorized" in description(amount=49800, currency="INR")
    assert "must be an integer" in description(amount=1.5, currency="INR")
    assert "amount: is required" in description(currency="INR")
    assert "currency: is required" in description(amount=49900)
    refused = sandbox.control.post(
        "/pay", json={"razorpay_order_id": order["id"], "outcome": "success"}
    )
    assert refused.status_code == 400
    captured = sandbox.api.post(path, json={"amount": 49900, "currency": "INR"})
    assert captured.json()["status"] == "captured"
    assert sandbox.get(f"/v1/orders/{order['id']}")["status"] == "paid"
    assert "already been captured" in description(amount=49900, currency="INR")


def test_a_failed_payment_cannot_be_captured(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"], "failure")
    (payment,) = sandbox.payments(order["id"])
    response = sandbox.api.post(
        f"/v1/payments/{payment['id']}/capture", json={"amount": 49900, "currency": "INR"}
    )
    assert response.status_code == 400


def test_payments_are_listed_by_time(make_razorpay: Callable[..., RazorpaySandbox]) -> None:
    clock = MovableClock(datetime(2030, 1, 1, tzinfo=UTC))
    sandbox = make_razorpay(clock=clock)
    sandbox.pay(sandbox.order()["id"])
    clock.move(days=1)
    order = sandbox.order()
    sandbox.pay(order["id"])
    since = int(clock().timestamp())
    assert sandbox.get("/v1/payments")["count"] == 2
    (payment,) = sandbox.get(f"/v1/payments?from={since}&to={since}")["items"]
    assert payment["order_id"] == order["id"]
