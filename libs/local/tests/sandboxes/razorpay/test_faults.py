"""Faults on demand, but for those of webhooks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.waiting import until


def waiting(sandbox: RazorpaySandbox) -> int:
    """How many faults wait for calls."""
    return len(sandbox.control.get("/faults").json()["items"])


def until_met(sandbox: RazorpaySandbox) -> None:
    """Wait until calls have met all faults."""
    until(lambda: not waiting(sandbox))


def test_a_double_payment(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"], faults=["double_payment"])
    assert [one["status"] for one in sandbox.payments(order["id"])] == ["captured"] * 2
    order = sandbox.get(f"/v1/orders/{order['id']}")
    assert (order["status"], order["attempts"]) == ("paid", 2)
    assert (order["amount_paid"], order["amount_due"]) == (2 * 49900, 0)
    names = [one["event"] for one in sandbox.webhooks()]
    assert names.count("payment.captured") == 2
    assert names.count("order.paid") == 1


def test_a_second_payment_of_an_order_that_is_paid(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"])
    sandbox.pay(order["id"], faults=["double_payment"])
    assert len(sandbox.payments(order["id"])) == 3


@pytest.mark.parametrize(("asked", "paid"), [(49900, 49800), (200, 100), (150, 250), (100, 200)])
def test_a_wrong_amount(sandbox: RazorpaySandbox, asked: int, paid: int) -> None:
    order = sandbox.order(asked)
    sandbox.pay(order["id"], faults=["wrong_amount"])
    (payment,) = sandbox.payments(order["id"])
    assert (payment["amount"], payment["status"]) == (paid, "captured")
    assert sandbox.get(f"/v1/orders/{order['id']}")["amount_paid"] == paid


def test_a_closed_tab(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    assert sandbox.pay(order["id"], faults=["closed_tab"]) is None
    (payment,) = sandbox.payments(order["id"])
    assert payment["status"] == "captured"


def captured(sandbox: RazorpaySandbox, order_id: str) -> list[str]:
    """The events about an order, once a payment of it is captured."""
    pause = threading.Event()
    while not any(one["status"] == "captured" for one in sandbox.payments(order_id)):
        pause.wait(0.01)
    return [one["event"] for one in sandbox.webhooks(order_id=order_id)]


LATE = ["payment.failed", "payment.authorized", "payment.captured", "order.paid"]


def test_a_late_authorisation(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    payload = sandbox.pay(order["id"], faults=["late_authorisation"])
    assert payload is not None
    assert payload["error"]["reason"] == "payment_failed"
    assert captured(sandbox, order["id"]) == LATE
    (payment,) = sandbox.payments(order["id"])
    assert payment["error_code"] is None


def test_a_late_authorisation_by_hand(
    make_razorpay: Callable[..., RazorpaySandbox],
) -> None:
    sandbox = make_razorpay(time_scale=1000)
    order = sandbox.order()
    sandbox.pay(order["id"], faults=["late_authorisation"])
    (failed,) = sandbox.payments(order["id"])
    sandbox.pay(order["id"])  # the buyer has tried again, and paid
    assert sandbox.command(f"/payments/{failed['id']}/authorise")["status"] == "captured"
    assert sandbox.get(f"/v1/orders/{order['id']}")["amount_paid"] == 2 * 49900
    assert sandbox.control.post(f"/payments/{failed['id']}/authorise").status_code == 400


def test_a_late_authorisation_survives_a_restart(tmp_path: Path) -> None:
    clock = MovableClock(datetime(2030, 1, 1, tzinfo=UTC))
    with RazorpaySandbox(clock, data_dir=tmp_path, time_scale=1000) as sandbox:
        order = sandbox.order()
        sandbox.pay(order["id"], faults=["late_authorisation"])
    clock.move(days=1)
    with RazorpaySandbox(clock, data_dir=tmp_path) as sandbox:
        assert captured(sandbox, order["id"]) == LATE


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("http_500", 500, "SERVER_ERROR"), ("http_429", 429, "BAD_REQUEST_ERROR")],
)
def test_the_next_calls_fail(sandbox: RazorpaySandbox, fault: str, status: int, code: str) -> None:
    sandbox.command("/faults", {"fault": fault, "calls": 2})
    for _ in range(2):
        response = sandbox.api.get("/v1/orders")
        assert response.status_code == status
        assert response.json()["error"]["code"] == code
    assert sandbox.api.get("/v1/orders").status_code == 200


def test_only_some_calls_fail(sandbox: RazorpaySandbox) -> None:
    sandbox.command("/faults", {"fault": "http_500", "method": "POST", "about": ["orders"]})
    assert sandbox.api.get("/v1/orders").status_code == 200
    assert sandbox.api.get("/v1/payments").status_code == 200
    assert sandbox.api.post("/v1/orders", json={}).status_code == 500
    assert waiting(sandbox) == 0


def test_an_answer_is_lost_after_its_effect(sandbox: RazorpaySandbox) -> None:
    sandbox.command("/faults", {"fault": "http_500", "after": True})
    asked = {"amount": 49900, "currency": "INR", "receipt": "ord_1"}
    assert sandbox.api.post("/v1/orders", json=asked).status_code == 500
    assert sandbox.get("/v1/orders?receipt=ord_1")["count"] == 1


def test_a_call_hangs_until_faults_are_withdrawn(sandbox: RazorpaySandbox) -> None:
    sandbox.command("/faults", {"fault": "timeout", "calls": 1})
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(sandbox.api.get, "/v1/orders")
        until_met(sandbox)
        assert sandbox.api.get("/v1/orders").status_code == 200
        assert not hanging.done()
        sandbox.control.delete("/faults")
        assert hanging.result().json()["error"]["code"] == "GATEWAY_ERROR"


def test_a_call_hangs_for_longer_than_its_caller_waits(sandbox: RazorpaySandbox) -> None:
    sandbox.command("/faults", {"fault": "timeout"})
    with pytest.raises(httpx2.ReadTimeout):
        sandbox.api.get("/v1/orders", timeout=0.1)


def test_a_stop_does_not_wait_for_calls_that_hang() -> None:
    with ThreadPoolExecutor() as pool, RazorpaySandbox(hang_seconds=3600) as sandbox:
        sandbox.command("/faults", {"fault": "timeout"})
        hanging = pool.submit(sandbox.api.get, "/v1/orders")
        until_met(sandbox)
        sandbox.tell_to_stop()
        assert hanging.result().status_code == 504


@pytest.mark.parametrize("fault", ["http_500", "timeout"])
def test_calls_about_one_payment_fail(
    make_razorpay: Callable[..., RazorpaySandbox], fault: str
) -> None:
    sandbox = make_razorpay(hang_seconds=0.01)
    other, order = sandbox.order(), sandbox.order()
    payload = sandbox.pay(order["id"], faults=[fault], fault_calls=2)
    assert payload is not None
    assert sandbox.api.get(f"/v1/orders/{other['id']}").status_code == 200
    for path in (f"orders/{order['id']}/payments", f"payments/{payload['razorpay_payment_id']}"):
        assert sandbox.api.get(f"/v1/{path}").status_code in (500, 504)
    assert sandbox.api.get(f"/v1/orders/{order['id']}").status_code == 200


def test_faults_that_there_are_none_of(sandbox: RazorpaySandbox) -> None:
    assert sandbox.control.post("/faults", json={"fault": "rain"}).status_code == 422
    asked = {"razorpay_order_id": "order_0", "outcome": "success", "faults": ["rain"]}
    assert sandbox.control.post("/pay", json=asked).status_code == 422
