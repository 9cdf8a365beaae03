"""Webhooks: what is refused, what is stored, and that the same is never anything new."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable

import httpx2
import pytest
from payment_service import (
    OLD_WEBHOOK_SECRET,
    TO_ORDER,
    Operator,
    OrderStub,
    Service,
    event,
    payment,
    sign,
)

from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import KEY_SECRET
from tracemypods.local.testing.waiting import until

CAPTURED = event("payment.captured", payment=payment())


def test_a_signed_event_is_stored_and_handed_over(service: Service, order: OrderStub) -> None:
    paid = payment(amount=49900, method="upi")
    service.taken(event("payment.captured", payment=paid))
    until(lambda: order.facts)
    assert order.facts == [
        {
            "source": "webhook",
            "fact": {
                "kind": "payment",
                "id": paid["id"],
                "razorpay_order_id": paid["order_id"],
                "status": "captured",
                "amount": 49900,
                "currency": "INR",
                "amount_refunded": 0,
                "method": "upi",
                "error_code": None,
                "error_description": None,
                "created_at": 1_900_000_000,
                "livemode": False,
            },
        }
    ]
    assert order.keys == {f"Bearer {TO_ORDER}"}


def test_what_is_not_signed_is_refused(
    service: Service, operator: Operator, order: OrderStub
) -> None:
    for signature, code in (
        (None, "signature_missing"),
        (b"", "signature_invalid"),
        (b"0" * 64, "signature_invalid"),
        (sign(CAPTURED)[:-1].encode(), "signature_invalid"),
        (sign(CAPTURED).upper().encode(), "signature_invalid"),
        (b"\xc3\xa4" * 32, "signature_invalid"),
        (b"\xff" * 64, "signature_invalid"),
        (sign(CAPTURED, KEY_SECRET).encode(), "signature_invalid"),
        (sign(CAPTURED, "").encode(), "signature_invalid"),
        (sign(CAPTURED + b" ").encode(), "signature_invalid"),
    ):
        headers = [] if signature is None else [(b"X-Razorpay-Signature", signature)]
        answer = service.anonymous.post("/payment/webhook", content=CAPTURED, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, code), signature
    assert operator.inbox() == []
    assert order.facts == []


def test_the_secret_before_a_rotation_still_holds(service: Service, order: OrderStub) -> None:
    service.taken(CAPTURED, secret=OLD_WEBHOOK_SECRET)
    until(lambda: order.facts)


def test_too_much_is_refused_and_not_stored(service: Service, operator: Operator) -> None:
    body = event("payment.captured", payment=payment(notes={"x": "y" * 300_000}))
    assert service.deliver(body).status_code == 413
    assert operator.inbox() == []


UNREADABLE = [
    b"",
    b"not JSON",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b'{"event": "payment.captured"}',
    b"[" * 100_000,
    event("payment.captured", payment={"id": "pay_1"}),
    event("payment.captured", payment=payment(status="somehow")),
    event("payment.captured", payment=payment(amount=-1)),
    event("payment.captured", payment=payment(amount=10**30)),
    event("payment.captured", payment=payment(amount=1.5)),
    event("payment.captured", payment=payment(id="pay_1/../..")),
    event("payment.captured", payment=payment(created_at=10**30)),
    event("payment.failed", payment=payment(error_description="\ud800")),
    event("refund.processed", payment=payment()),
    event("payment.dispute.created", dispute={"id": None}, payment=payment()),
]


def test_signed_but_unreadable_is_kept_for_operators(
    service: Service, operator: Operator, order: OrderStub
) -> None:
    for body in UNREADABLE:
        service.taken(body)
        service.taken(body)
        kept = operator.inbox(state="unreadable", limit=1)[0]
        assert kept["last_error"], body[:100]
        assert kept["deliveries"] == 2
        assert operator.get(f"/inbox/{kept['id']}")["body_bytes"] == len(body)
    assert operator.states() == ["unreadable"] * len(UNREADABLE)
    assert order.facts == []


def test_an_event_that_is_nothing_to_us_is_done(service: Service, operator: Operator) -> None:
    for name in ("invoice.paid", "payment.downtime.started", "subscription.charged"):
        service.taken(event(name, subscription={"id": "sub_1"}))
    assert operator.states() == ["done"] * 3


def test_one_hand_over_for_each_fact(
    service: Service, operator: Operator, order: OrderStub
) -> None:
    """Two events about one payment, each three times, in any order, side by side, by new ids."""
    bodies: list[tuple[bytes, str]] = []
    paid = [payment() for _ in range(20)]
    for one in paid:
        for name in ("payment.captured", "order.paid"):
            body = event(name, payment=one, order={"id": one["order_id"]})
            event_id = f"{one['id']} {name}"
            bodies += [(body, event_id), (body, event_id), (body, f"replay of {event_id}")]
    random.shuffle(bodies)

    def deliver(some: list[tuple[bytes, str]]) -> None:
        for body, identifier in some:
            service.taken(body, event_id=identifier)

    threads = [threading.Thread(target=deliver, args=(bodies[n::4],)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    until(lambda: operator.states() == ["done"] * 20)
    assert sorted(order.ids()) == sorted(one["id"] for one in paid)
    assert [one["deliveries"] for one in operator.inbox(limit=100)] == [6] * 20


def test_each_state_of_a_thing_is_a_fact(
    service: Service, operator: Operator, order: OrderStub
) -> None:
    """A refund and a dispute name the order of the payment that comes along."""
    paid = payment()
    of_it = {"payment_id": paid["id"], "currency": "INR", "created_at": 1_900_000_002}
    refund = {
        **of_it,
        "id": "rfnd_1",
        "amount": 100,
        "status": "pending",
        "receipt": "rfd_1",
    }
    dispute = {**of_it, "id": "disp_1", "amount": 49900, "status": "open", "reason_code": "fraud"}
    service.taken(event("payment.authorized", payment={**paid, "status": "authorized"}))
    service.taken(event("payment.captured", payment=paid))
    service.taken(event("refund.created", refund=refund, payment=paid))
    service.taken(event("refund.processed", refund={**refund, "status": "processed"}))
    service.taken(event("payment.dispute.created", dispute=dispute, payment=paid))
    service.taken(event("payment.dispute.lost", dispute={**dispute, "status": "lost"}))
    until(lambda: operator.states() == ["done"] * 6)
    told = {(one["fact"]["kind"], one["fact"]["status"]): one["fact"] for one in order.facts}
    assert len(order.facts) == len(told) == 6
    assert told["refund", "pending"]["razorpay_order_id"] == paid["order_id"]
    assert told["refund", "pending"]["receipt"] == "rfd_1"
    assert told["dispute", "open"]["razorpay_order_id"] == paid["order_id"]


@pytest.mark.impatient
def test_mongo_away_is_never_a_200(
    service: Service, operator: Operator, order: OrderStub, mongo: Mongo
) -> None:
    for fault in (mongo.stop, mongo.pause, mongo.kill):
        body = event("payment.captured", payment=payment())
        fault()
        answer = service.deliver(body)
        assert (answer.status_code, answer.json()["code"]) == (503, "payment_store_unavailable")
        mongo.resume()
        mongo.start()
        until(lambda body=body: service.deliver(body).status_code == 200)
    until(lambda: len(set(order.ids())) == 3)


def test_personal_data_is_withheld(
    service: Service, operator: Operator, capfd: pytest.CaptureFixture[str]
) -> None:
    service.taken(CAPTURED)
    service.taken(b"asha@example.com sent this")
    whole = [operator.get(f"/inbox/{one['id']}") for one in operator.inbox()]
    assert any(one["body"] and one["body"]["event"] == "payment.captured" for one in whole)
    entity = next(one["body"] for one in whole if one["body"])["payload"]["payment"]["entity"]
    assert entity["amount"] == 49900
    assert entity["email"] == entity["contact"] == entity["vpa"] == "withheld"
    for text in (json.dumps(whole), *capfd.readouterr()):
        assert "asha@" not in text
        assert "+9190" not in text


def test_operators_need_their_scopes(service: Service, operator_key: Callable[..., str]) -> None:
    reader = {"Authorization": f"Bearer {operator_key('payments:read')}"}
    path = "/api/payments/inbox/inb_" + "0" * 32
    for call, headers, expected in (
        (("GET", "/api/payments/inbox"), {}, (401, "operator_key_missing")),
        (("GET", "/api/payments/unmatched"), {}, (401, "operator_key_missing")),
        (("GET", path), reader, (404, "entry_unknown")),
        (("POST", f"{path}/retry"), reader, (403, "operator_scope_missing")),
        (("POST", "/api/payments/reconcile"), reader, (403, "operator_scope_missing")),
    ):
        answer = httpx2.request(call[0], f"{service.url}{call[1]}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == expected
