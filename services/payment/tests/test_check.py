"""What a browser brings back is believed only when Razorpay signed it, and says the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from payment_service import NOBODY, Service

from tracemypods.contracts.payments import CHECK_PATH
from tracemypods.local.sandboxes.razorpay.signatures import payment_signature
from tracemypods.local.testing.http_stub import HttpStub
from tracemypods.local.testing.razorpay import KEY_SECRET, RazorpaySandbox


def check(service: Service, **brought: Any) -> httpx2.Response:
    return service.order.post(CHECK_PATH, json=brought)


def test_a_signed_payment_is_told_as_razorpay_has_it(
    service: Service, sandbox: RazorpaySandbox
) -> None:
    order_id = service.created()
    brought = sandbox.pay(order_id)
    assert brought is not None
    answer = check(service, **brought)
    assert answer.status_code == 200
    told = answer.json()
    assert told["id"] == brought["razorpay_payment_id"]
    assert (told["status"], told["amount"], told["currency"]) == ("captured", 49900, "INR")
    assert (told["razorpay_order_id"], told["livemode"]) == (order_id, False)
    assert "email" not in told


def test_an_amount_that_was_changed_shows(service: Service, sandbox: RazorpaySandbox) -> None:
    brought = sandbox.pay(service.created(), faults=["wrong_amount"])
    assert check(service, **(brought or {})).json()["amount"] == 49800


def test_a_forged_signature_is_refused(service: Service, sandbox: RazorpaySandbox) -> None:
    brought = sandbox.pay(service.created()) or {}
    right = brought["razorpay_signature"]
    for signature in ("", "0" * 64, "ä" * 64, right[:-1], right.upper(), right + "0"):
        answer = check(service, **{**brought, "razorpay_signature": signature})
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")


def test_a_signature_that_is_no_text_is_refused(service: Service) -> None:
    """A lone surrogate, which JSON can write and UTF-8 cannot."""
    ids = {"razorpay_order_id": "order_1", "razorpay_payment_id": "pay_1"}
    body = json.dumps({**ids, "razorpay_signature": "\ud800"})
    headers = {"Content-Type": "application/json"}
    answer = service.order.post(CHECK_PATH, content=body, headers=headers)
    assert answer.status_code in (400, 403, 422)


def test_another_orders_signature_is_refused(service: Service, sandbox: RazorpaySandbox) -> None:
    """The order's id is the caller's own, so what was paid for a cheaper one is of no use."""
    cheap = sandbox.pay(service.created("ord_1", 100)) or {}
    dear = service.created("ord_2", 100_000)
    answer = check(service, **{**cheap, "razorpay_order_id": dear})
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")


def test_a_payment_that_razorpay_does_not_have_is_unknown(service: Service) -> None:
    for identifier in ("pay_00000000000000", "pay_1"):
        brought = {
            "razorpay_order_id": "order_1",
            "razorpay_payment_id": identifier,
            "razorpay_signature": payment_signature("order_1", identifier, KEY_SECRET),
        }
        answer = check(service, **brought)
        assert (answer.status_code, answer.json()["code"]) == (404, "payment_unknown")


def test_a_payment_of_another_order_is_unknown(service: Service, sandbox: RazorpaySandbox) -> None:
    paid = sandbox.pay(service.created()) or {}
    brought = {
        "razorpay_order_id": "order_1",
        "razorpay_payment_id": paid["razorpay_payment_id"],
        "razorpay_signature": payment_signature("order_1", paid["razorpay_payment_id"], KEY_SECRET),
    }
    answer = check(service, **brought)
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_unknown")


def test_razorpay_away_is_named(make_service: Callable[..., Service]) -> None:
    service = make_service(razorpay_url=NOBODY)
    signature = payment_signature("order_1", "pay_1", KEY_SECRET)
    ids = {"razorpay_order_id": "order_1", "razorpay_payment_id": "pay_1"}
    answer = check(service, **ids, razorpay_signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")


@pytest.mark.parametrize("fault", ["http_500", "http_429"])
def test_one_bad_answer_is_asked_again(
    service: Service, sandbox: RazorpaySandbox, fault: str
) -> None:
    brought = sandbox.pay(service.created()) or {}
    sandbox.command("/faults", {"fault": fault, "calls": 2})
    assert check(service, **brought).status_code == 200


def test_an_answer_that_cannot_be_read_is_no_answer(make_service: Callable[..., Service]) -> None:
    with HttpStub() as stub:
        service = make_service(razorpay_url=stub.url)
        signature = payment_signature("order_1", "pay_1", KEY_SECRET)
        ids = {"razorpay_order_id": "order_1", "razorpay_payment_id": "pay_1"}
        for said in ([], {}, {"id": "pay_1"}, "text", None):
            stub.answer = (200, said)
            answer = check(service, **ids, razorpay_signature=signature)
            assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")
