"""Orders at Razorpay: one for each receipt, whatever is lost, and who asks at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from payment_service import NOBODY, Service

from tracemypods.local.testing.http_stub import Asked, HttpStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import KEY_ID, RazorpaySandbox
from tracemypods.local.testing.waiting import until
from tracemypods.payment.razorpay import client as razorpay_client


def orders_at(sandbox: RazorpaySandbox) -> list[dict[str, Any]]:
    return sandbox.get("/v1/orders?count=100")["items"]


def test_an_order_is_made_and_given_again(service: Service, sandbox: RazorpaySandbox) -> None:
    answer = service.create("ord_1", 49900, notes={"plan": "premium"})
    assert answer.status_code == 200
    (made,) = orders_at(sandbox)
    assert answer.json() == {
        "razorpay_order_id": made["id"],
        "amount": 49900,
        "currency": "INR",
        "key_id": KEY_ID,
        "livemode": False,
    }
    assert (made["receipt"], made["amount"], made["notes"]) == ("ord_1", 49900, {"plan": "premium"})
    assert service.create("ord_1", 49900).json() == answer.json()
    assert len(orders_at(sandbox)) == 1


def test_a_receipt_of_something_else_is_refused(service: Service, sandbox: RazorpaySandbox) -> None:
    service.created("ord_1", 49900)
    for changed in ({"amount": 49901}, {"currency": "USD"}):
        answer = service.create(**{"receipt": "ord_1", "amount": 49900, **changed})
        assert (answer.status_code, answer.json()["code"]) == (409, "receipt_differs")
    assert len(orders_at(sandbox)) == 1


def test_of_many_who_ask_at_once_there_is_one_order(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox
) -> None:
    replicas = [make_service(), make_service()]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda number=number: found.append(replicas[number % 2].created()))
        for number in range(12)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 12
    assert set(found) == {one["id"] for one in orders_at(sandbox)}
    assert len(orders_at(sandbox)) == 1


def test_an_order_whose_answer_was_lost_is_found(
    service: Service, sandbox: RazorpaySandbox
) -> None:
    """An error after the order was made: it is looked for, and there it is."""
    sandbox.command("/faults", {"fault": "http_500", "after": True, "method": "POST"})
    order_id = service.created()
    assert [one["id"] for one in orders_at(sandbox)] == [order_id]


def test_an_order_that_nobody_heard_of_in_time_is_found_later(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracemypods.payment.app.TOTAL_SECONDS", 2)
    service = make_service()
    sandbox.command("/faults", {"fault": "timeout", "after": True, "method": "POST"})
    answer = service.create()
    assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")
    order_id = service.created()
    assert [one["id"] for one in orders_at(sandbox)] == [order_id]


def test_an_order_that_was_made_and_not_written_down_is_found(
    service: Service, sandbox: RazorpaySandbox, mongo: Mongo
) -> None:
    """As after a crash between Razorpay's answer and ours: the lease has ended, no id is there."""
    order_id = service.created()
    with mongo.client() as client:
        client[mongo.database]["payment_orders"].update_one(
            {"_id": "ord_1"},
            {"$unset": {"razorpay_order_id": "", "due_at": ""}, "$set": {"making_until": 1}},
        )
    assert service.created() == order_id
    assert len(orders_at(sandbox)) == 1


def test_one_that_razorpay_has_for_another_amount_is_refused(
    service: Service, sandbox: RazorpaySandbox
) -> None:
    sandbox.order(11100, receipt="ord_1")
    answer = service.create("ord_1", 49900)
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_differs")


def test_razorpay_away_is_named_soon_and_nothing_is_made_twice(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox
) -> None:
    answer = make_service(razorpay_url=NOBODY).create()
    assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")
    assert "retry-after" in answer.headers
    make_service().created()
    assert len(orders_at(sandbox)) == 1


def test_razorpays_refusal_is_passed_on(service: Service, sandbox: RazorpaySandbox) -> None:
    answer = service.create("ord_1", 10**10)
    assert (answer.status_code, answer.json()["code"]) == (409, "razorpay_refused")
    assert answer.json()["errors"] == [
        {
            "field": "amount",
            "message": "BAD_REQUEST_ERROR: Amount exceeds maximum amount allowed.",
        }
    ]
    assert orders_at(sandbox) == []


def test_a_wrong_key_is_nobodys_fault_but_ours(make_service: Callable[..., Service]) -> None:
    answer = make_service(key_secret="some-other-key-secret").create()
    assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")


@pytest.mark.impatient
def test_mongo_away_makes_no_order(
    service: Service, sandbox: RazorpaySandbox, mongo: Mongo
) -> None:
    mongo.stop()
    answer = service.create()
    assert (answer.status_code, answer.json()["code"]) == (503, "payment_store_unavailable")
    assert orders_at(sandbox) == []
    mongo.start()
    until(lambda: service.create().status_code == 200)


@pytest.mark.parametrize("key", [None, "another-key-that-is-as-long-as-it-must-be"])
def test_only_order_may_ask(service: Service, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for path in ("orders", "check", "refunds"):
        answer = service.anonymous.post(f"/internal/payments/{path}", json={}, headers=headers)
        assert answer.status_code == (403 if key else 401)


@pytest.mark.parametrize("late", [True, False])
def test_there_is_one_order_where_razorpay_takes_a_receipt_twice(
    make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """It is looked for before it is made again, and the oldest is everybody's."""
    monkeypatch.setattr("tracemypods.payment.app.TOTAL_SECONDS", 2)
    made: list[dict[str, Any]] = []
    patience = threading.Event()

    def respond(asked: Asked) -> tuple[int, Any] | None:
        if asked.method == "GET":
            return 200, {"items": made[::-1]}
        order = {"id": f"order_{len(made)}", "created_at": 1_900_000_000 + len(made)}
        made.append({**asked.json, **order})
        if late:
            patience.wait(30)
        return None  # the answer is lost

    with HttpStub() as stub:
        stub.respond = respond
        service = make_service(razorpay_url=stub.url)
        if late:
            assert service.create().status_code == 503
        assert service.created() == "order_0"
        assert service.created() == "order_0"
        patience.set()
    assert len(made) == 1
    assert made[0]["payment"]["capture"] == "automatic"


def test_only_reads_are_tried_again(make_service: Callable[..., Service]) -> None:
    with HttpStub() as stub:
        stub.answer = (503, {"error": {"code": "SERVER_ERROR", "description": "x"}})
        service = make_service(razorpay_url=stub.url)
        assert service.create().status_code == 503
        methods = [one.method for one in stub.requests]
        assert methods.count("POST") == 1
        assert methods.count("GET") == razorpay_client.READ_TRIES
