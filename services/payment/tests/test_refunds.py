"""Refunds are made once, whatever is lost, and end in a fact that order gets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from payment_service import NOBODY, OrderStub, Service, event, payment

from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.http_stub import HttpStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.waiting import until

REFUND = "rfd_0123456789"


@pytest.fixture
def paid(service: Service, sandbox: RazorpaySandbox) -> dict[str, Any]:
    """A payment that order knows."""
    order_id = service.created()
    sandbox.pay(order_id)
    service.forward(sandbox, order_id)
    return sandbox.payments(order_id)[0]


def refunds_of(sandbox: RazorpaySandbox, payment_id: str) -> list[dict[str, Any]]:
    return sandbox.get(f"/v1/payments/{payment_id}/refunds")["items"]


def told(order: OrderStub) -> list[dict[str, Any]]:
    return [one["fact"] for one in order.facts if one["fact"]["kind"] == "refund"]


def test_a_refund_is_made_and_told_again(
    service: Service, sandbox: RazorpaySandbox, paid: dict[str, Any]
) -> None:
    answer = service.refund(paid["id"], 10000)
    assert answer.status_code == 200
    (made,) = refunds_of(sandbox, paid["id"])
    assert answer.json() == {
        "kind": "refund",
        "id": made["id"],
        "payment_id": paid["id"],
        "razorpay_order_id": paid["order_id"],
        "status": "processed",
        "amount": 10000,
        "currency": "INR",
        "receipt": REFUND,
        "created_at": made["created_at"],
        "livemode": False,
    }
    assert (made["receipt"], made["notes"]) == (REFUND, {"reason": "x"})
    assert service.refund(paid["id"], 10000).json() == answer.json()
    assert len(refunds_of(sandbox, paid["id"])) == 1


def test_of_many_who_ask_at_once_there_is_one_refund(
    service: Service, sandbox: RazorpaySandbox, paid: dict[str, Any]
) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(service.refund(paid["id"]).status_code))
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert statuses == [200] * 8
    assert [one["amount"] for one in refunds_of(sandbox, paid["id"])] == [10000]


def test_an_id_of_another_refund_is_refused(
    service: Service, sandbox: RazorpaySandbox, paid: dict[str, Any]
) -> None:
    service.refund(paid["id"], 10000)
    for payment_id, amount in ((paid["id"], 10001), ("pay_00000000000000", 10000)):
        answer = service.refund(payment_id, amount)
        assert (answer.status_code, answer.json()["code"]) == (409, "refund_differs")
    assert len(refunds_of(sandbox, paid["id"])) == 1


def test_what_razorpay_refuses_stays_refused(
    service: Service, sandbox: RazorpaySandbox, paid: dict[str, Any]
) -> None:
    for _ in range(2):
        answer = service.refund(paid["id"], 49901)
        assert (answer.status_code, answer.json()["code"]) == (409, "razorpay_refused")
        assert answer.json()["errors"] == [
            {
                "field": "amount",
                "message": "BAD_REQUEST_ERROR: "
                "The refund amount provided is greater than amount captured",
            }
        ]
    assert refunds_of(sandbox, paid["id"]) == []


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("fault", ["http_500", "http_429", "timeout"])
def test_an_unknown_outcome_is_asked_for_until_it_is_known(
    make_service: Callable[..., Service],
    sandbox: RazorpaySandbox,
    order: OrderStub,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    after: bool,
) -> None:
    monkeypatch.setattr("tracemypods.payment.app.TOTAL_SECONDS", 2)
    service = make_service()
    order_id = service.created()
    sandbox.pay(order_id)
    service.forward(sandbox, order_id)
    (paid,) = sandbox.payments(order_id)
    calls = {"fault": fault, "after": after, "method": "POST", "calls": 2}
    sandbox.command("/faults", calls)
    answer = service.refund(paid["id"])
    assert answer.status_code == 200
    pending = answer.json()
    assert (pending["status"], pending["receipt"], pending["amount"]) == ("pending", REFUND, 10000)
    assert (pending["currency"], pending["razorpay_order_id"]) == ("INR", order_id)
    sandbox.control.delete("/faults")
    until(lambda: told(order))
    (made,) = refunds_of(sandbox, paid["id"])
    (fact,) = told(order)
    assert (fact["id"], fact["receipt"], fact["status"]) == (made["id"], REFUND, "processed")
    assert fact["razorpay_order_id"] == order_id
    assert service.refund(paid["id"]).json()["id"] == made["id"]


def test_what_is_refused_later_is_told_as_failed(
    make_service: Callable[..., Service], order: OrderStub
) -> None:
    refusal = {"code": "BAD_REQUEST_ERROR", "description": "The payment has been fully refunded"}
    with HttpStub() as stub:
        stub.answer = (503, {})
        service = make_service(razorpay_url=stub.url)
        service.taken(event("payment.captured", payment=payment(id="pay_1", order_id="order_1")))
        until(lambda: order.facts)
        assert service.refund("pay_1").json()["status"] == "pending"
        stub.respond = lambda asked: (
            (400, {"error": refusal}) if asked.method == "POST" else (200, {"items": []})
        )
        until(lambda: told(order))
        (fact,) = told(order)
        assert (fact["status"], fact["receipt"], fact["amount"]) == ("failed", REFUND, 10000)
        assert (fact["razorpay_order_id"], fact["currency"]) == ("order_1", "INR")
        assert service.refund("pay_1").status_code == 409


def test_a_refund_whose_key_razorpay_forgot_is_found_by_its_receipt(
    make_service: Callable[..., Service], order: OrderStub
) -> None:
    made = {
        "id": "rfnd_1",
        "payment_id": "pay_1",
        "amount": 10000,
        "currency": "INR",
        "status": "processed",
        "receipt": REFUND,
        "created_at": 1_900_000_000,
    }
    with HttpStub() as stub:
        stub.answer = (504, {})
        service = make_service(razorpay_url=stub.url)
        assert service.refund("pay_1").json()["status"] == "pending"
        stub.respond = lambda asked: (
            (400, {"error": {"code": "BAD_REQUEST_ERROR", "description": "refunded already"}})
            if asked.method == "POST"
            else (200, {"items": [made]})
            if asked.path.startswith("/v1/payments/pay_1/refunds")
            else (200, payment(id="pay_1", order_id="order_1"))
        )
        until(lambda: told(order))
        (fact,) = told(order)
        assert (fact["id"], fact["status"]) == ("rfnd_1", "processed")
        assert fact["razorpay_order_id"] == "order_1"


def test_a_refund_that_goes_on_elsewhere_is_waited_for(
    service: Service, sandbox: RazorpaySandbox, order: OrderStub, paid: dict[str, Any]
) -> None:
    """A replica that died in the middle of its call: its key is in use, then its refund is ours."""
    sandbox.command("/faults", {"fault": "refund_slow"})
    body = {"amount": 10000, "speed": "normal", "receipt": REFUND, "notes": {"reason": "x"}}
    headers = {"X-Refund-Idempotency": REFUND}
    path = f"/v1/payments/{paid['id']}/refund"
    hanging = threading.Thread(target=lambda: sandbox.api.post(path, json=body, headers=headers))
    hanging.start()
    until(lambda: not sandbox.control.get("/faults").json()["items"])
    assert service.refund(paid["id"]).json()["status"] == "pending"
    sandbox.control.delete("/faults")
    hanging.join()
    until(lambda: told(order))
    (made,) = refunds_of(sandbox, paid["id"])
    assert told(order)[0]["id"] == made["id"]


def test_a_crash_between_razorpays_answer_and_ours(
    make_service: Callable[..., Service],
    sandbox: RazorpaySandbox,
    order: OrderStub,
    mongo: Mongo,
) -> None:
    """What was wanted is stored, and nothing more: the lease ends, and somebody asks again."""
    clock = MovableClock(datetime(2030, 1, 1, tzinfo=UTC))
    service = make_service(clock)
    order_id = service.created()
    sandbox.pay(order_id)
    (paid,) = sandbox.payments(order_id)
    first = service.refund(paid["id"]).json()
    now = int(clock().timestamp() * 1000)
    with mongo.client() as client:
        client[mongo.database]["payment_refunds"].update_one(
            {"_id": REFUND},
            {"$set": {"state": "pending", "due_at": now + 60_000}, "$unset": {"fact": ""}},
        )
    assert service.refund(paid["id"]).json()["status"] == "pending"
    clock.move(seconds=61)
    until(lambda: told(order))
    assert told(order)[0]["id"] == first["id"]
    assert len(refunds_of(sandbox, paid["id"])) == 1


def test_a_refund_that_is_pending_at_razorpay_ends_with_its_webhook(
    service: Service, sandbox: RazorpaySandbox, order: OrderStub, paid: dict[str, Any]
) -> None:
    sandbox.command("/faults", {"fault": "refund_pending"})
    refund = service.refund(paid["id"]).json()
    assert refund["status"] == "pending"
    sandbox.command(f"/refunds/{refund['id']}/fail")
    service.forward(sandbox, paid["order_id"])
    until(lambda: "failed" in [one["status"] for one in told(order)])
    assert {one["receipt"] for one in told(order)} == {REFUND}


@pytest.mark.impatient
def test_mongo_away_asks_for_nothing(
    service: Service, sandbox: RazorpaySandbox, paid: dict[str, Any], mongo: Mongo
) -> None:
    mongo.stop()
    answer = service.refund(paid["id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "payment_store_unavailable")
    assert refunds_of(sandbox, paid["id"]) == []


def test_razorpay_away_is_pending(make_service: Callable[..., Service]) -> None:
    answer = make_service(razorpay_url=NOBODY).refund("pay_1")
    assert (answer.json()["status"], answer.json()["currency"]) == ("pending", "XXX")
