"""Webhooks: what they carry, who signed them, and that they are sent until somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from razorpay import Utility
from razorpay.errors import SignatureVerificationError

from tracemypods.local.testing.razorpay import KEY_SECRET, WEBHOOK_SECRET, RazorpaySandbox

from .conftest import Received, Receiver, settled

PAID = ["payment.authorized", "payment.captured", "order.paid"]


def test_what_is_told_of_a_payment(telling: RazorpaySandbox, receiver: Receiver) -> None:
    order = telling.order(receipt="ord_1")
    telling.pay(order["id"])
    authorised, captured, paid = receiver.wait_for(3)
    assert receiver.names() == PAID
    (payment,) = telling.payments(order["id"])
    assert captured.event == {
        "entity": "event",
        "account_id": captured.event["account_id"],
        "event": "payment.captured",
        "contains": ["payment"],
        "payload": {"payment": {"entity": payment}},
        "created_at": payment["created_at"],
    }
    snapshot = authorised.event["payload"]["payment"]["entity"]
    assert (snapshot["status"], snapshot["captured"]) == ("authorized", False)
    assert paid.event["contains"] == ["payment", "order"]
    assert paid.event["payload"]["order"]["entity"] == telling.get(f"/v1/orders/{order['id']}")
    assert len({one.event_id for one in receiver.received}) == 3
    assert authorised.headers["content-type"] == "application/json"


def test_what_is_told_of_a_failure_and_a_refund(
    telling: RazorpaySandbox, receiver: Receiver
) -> None:
    order = telling.order()
    telling.pay(order["id"], "failure")
    (failed,) = receiver.wait_for(1)
    assert failed.name == "payment.failed"
    assert failed.event["payload"]["payment"]["entity"]["error_reason"] == "payment_failed"
    payload = telling.pay(order["id"])
    assert payload is not None
    receiver.wait_for(4)
    telling.command(f"/payments/{payload['razorpay_payment_id']}/refund", {"amount": 100})
    created, processed = receiver.wait_for(6)[4:]
    assert (created.name, processed.name) == ("refund.created", "refund.processed")
    assert created.event["contains"] == ["refund", "payment"]
    assert created.event["payload"]["payment"]["entity"]["amount_refunded"] == 100


def test_the_official_package_accepts_the_signature(
    telling: RazorpaySandbox, receiver: Receiver
) -> None:
    telling.pay(telling.order(notes={"name": "आशा"})["id"])
    utility = Utility()
    for one in receiver.wait_for(3):
        body, signature = one.body.decode(), one.headers["x-razorpay-signature"]
        assert utility.verify_webhook_signature(body, signature, WEBHOOK_SECRET)
        for changed, secret in ((body + " ", WEBHOOK_SECRET), (body, KEY_SECRET)):
            with pytest.raises(SignatureVerificationError):
                utility.verify_webhook_signature(changed, signature, secret)


def copies(received: list[Received], name: str) -> list[Received]:
    """All that came of one event."""
    return [one for one in received if one.name == name]


def test_sent_again_until_2xx(telling: RazorpaySandbox, receiver: Receiver) -> None:
    receiver.statuses = [500, 302, 404]
    telling.pay(telling.order()["id"], "failure")
    received = receiver.wait_for(4)
    assert len({(one.event_id, one.body) for one in received}) == 1
    (kept,) = settled(telling)
    assert (kept["state"], kept["attempts"], kept["last_status"]) == ("delivered", 4, 200)


def test_one_that_is_refused_does_not_hold_up_the_others(
    telling: RazorpaySandbox, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    telling.pay(telling.order()["id"])
    assert sorted(one.name for one in receiver.wait_for(4)) == sorted([*PAID, PAID[0]])


def test_an_answer_that_takes_too_long_is_none(
    make_razorpay: Callable[..., RazorpaySandbox], receiver: Receiver
) -> None:
    sandbox = make_razorpay(webhook_url=receiver.url, webhook_answer_seconds=0.5)
    receiver.answering.clear()
    sandbox.pay(sandbox.order()["id"], "failure")
    receiver.wait_for(2)
    receiver.answering.set()
    (kept,) = settled(sandbox)
    assert kept["state"] == "delivered"


def test_given_up_in_the_end(
    make_razorpay: Callable[..., RazorpaySandbox], receiver: Receiver
) -> None:
    receiver.statuses = [500] * 100
    sandbox = make_razorpay(
        webhook_url=receiver.url, webhook_retry_seconds=10, webhook_retry_hours=0.01
    )
    sandbox.pay(sandbox.order()["id"], "failure")
    (kept,) = settled(sandbox)
    assert kept["state"] == "given_up"
    assert 1 <= kept["attempts"] < 10
    receiver.statuses = []
    assert sandbox.command(f"/webhooks/{kept['event_id']}/redeliver") == {"status": 200}
    assert sandbox.webhooks()[0]["state"] == "delivered"


def test_duplicated(telling: RazorpaySandbox, receiver: Receiver) -> None:
    telling.pay(telling.order()["id"], faults=["duplicate"])
    received = receiver.wait_for(6)
    for name in PAID:
        first, second = copies(received, name)
        assert (first.event_id, first.body) == (second.event_id, second.body)


def test_reordered(telling: RazorpaySandbox, receiver: Receiver) -> None:
    telling.pay(telling.order()["id"], faults=["reorder"])
    receiver.wait_for(3)
    assert receiver.names() == PAID[::-1]


def test_delayed(make_razorpay: Callable[..., RazorpaySandbox], receiver: Receiver) -> None:
    sandbox = make_razorpay(webhook_url=receiver.url, delay_seconds=200)
    late = sandbox.order()
    sandbox.pay(late["id"], faults=["delay"])
    soon = sandbox.order()
    sandbox.pay(soon["id"])
    orders = [one.event["payload"]["payment"]["entity"]["order_id"] for one in receiver.wait_for(6)]
    assert orders == [soon["id"]] * 3 + [late["id"]] * 3


def test_lost_and_found(telling: RazorpaySandbox, receiver: Receiver) -> None:
    order = telling.order()
    telling.pay(order["id"], faults=["lose"])
    lost = settled(telling, order_id=order["id"])
    assert [one["state"] for one in lost] == ["lost"] * 3
    assert receiver.received == []
    telling.command(f"/webhooks/{lost[1]['event_id']}/redeliver")
    assert receiver.names() == ["payment.captured"]
    assert [one["event"] for one in telling.webhooks(state="lost")] == [PAID[0], PAID[2]]


def test_there_is_no_such_event(sandbox: RazorpaySandbox) -> None:
    response = sandbox.control.post("/webhooks/nothing/redeliver")
    assert (response.status_code, response.json()["code"]) == (404, "event_not_found")


def test_what_was_not_sent_is_sent_after_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    receiver.statuses = [500] * 3
    slow = {"webhook_url": receiver.url, "data_dir": tmp_path, "webhook_retry_seconds": 500}
    with RazorpaySandbox(**slow) as sandbox:
        sandbox.pay(sandbox.order()["id"])
        before = receiver.wait_for(3)
    with RazorpaySandbox(**slow) as sandbox:
        after = receiver.wait_for(6)[3:]
        assert {one.event_id for one in after} == {one.event_id for one in before}
        assert {one["state"] for one in settled(sandbox)} == {"delivered"}
