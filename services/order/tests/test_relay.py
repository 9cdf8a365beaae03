"""Events on their way: Kafka away or forgetful, and what order is told that makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from order_beside import PaymentStub
from order_buyer import Buyer
from order_deliver import DeliverSide, delivered

from tracemypods.contracts.events import Envelope
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.waiting import until
from tracemypods.order.orders.outbox import PAID
from tracemypods.order.orders.store import COLLECTION

QUICK = {
    "kafka_retry_seconds": 0.2,
    "first_look_seconds": 0.5,
    "resend_seconds": 0.5,
}
NEVER = {**QUICK, "first_look_seconds": 3600}
"""What is not taken at once is not sent again."""

MakeService = Callable[..., httpx2.Client]


@pytest.fixture
def make_buyer(
    kafka: Kafka, make_order_service: MakeService, inbox: Inbox, payment: PaymentStub
) -> Callable[..., Buyer]:
    """Serve order on a broker of the test's own, and send somebody there."""

    def make(**settings: Any) -> Buyer:
        service = make_order_service(kafka_url=kafka.url, **{**QUICK, **settings})
        return Buyer(service, inbox, payment)

    return make


def bought(buyer: Buyer, name: str = "pay_1") -> dict[str, Any]:
    """An order that was paid, and whose token is there."""
    order = buyer.ordered()
    assert buyer.tell(buyer.fact(order, name)).json()["outcome"] == "applied"
    buyer.wait_for(order, "fulfilled")
    return order


def invoice(buyer: Buyer, order: dict[str, Any]) -> str:
    """What the buyer is shown of the invoice."""
    return buyer.look(order)["steps"]["invoice"]


def event_id(order: dict[str, Any]) -> str:
    return f"{order['order_id']}:{PAID}"


@pytest.mark.parametrize("how", ["gone", "hung"])
def test_nobodys_payment_waits_for_kafka(
    make_buyer: Callable[..., Buyer], kafka: Kafka, how: str
) -> None:
    # Whoever waited for it, waited in vain: until it is back, which is after the last payment.
    buyer = make_buyer(kafka_publish_seconds=60)
    if how == "gone":
        kafka.kill()
    else:
        kafka.pause()
    orders = [bought(buyer, f"pay_{number}") for number in range(4)]
    assert {invoice(buyer, order) for order in orders} == {"pending"}
    kafka.resume()
    kafka.start()
    with DeliverSide(kafka) as deliver:
        for order in orders:
            until(lambda order=order: invoice(buyer, order) == "sent")
            assert deliver.ids(order["order_id"]) == {event_id(order)}


def test_what_the_broker_forgot_is_sent_again(
    make_buyer: Callable[..., Buyer], kafka: Kafka
) -> None:
    buyer = make_buyer()
    with DeliverSide(kafka, silent=True) as deliver:
        order = bought(buyer)
        until(lambda: deliver.told, "the event, which the broker has acknowledged")
        kafka.kill()
        deliver.told.clear()
        kafka.start()
        until(lambda: deliver.told, "the event again")
        assert deliver.ids(order["order_id"]) == {event_id(order)}
        assert invoice(buyer, order) == "pending"
        deliver.silent = False
        until(lambda: invoice(buyer, order) == "sent")
        # What is confirmed is not sent any more: a later order's event is the next one.
        deliver.told.clear()
        later = bought(buyer, "pay_2")
        until(lambda: invoice(buyer, later) == "sent")
        assert deliver.ids(order["order_id"]) == set()


def test_confirmations_that_are_forged_or_make_no_sense_change_nothing(
    make_buyer: Callable[..., Buyer], kafka: Kafka
) -> None:
    buyer = make_buyer(**NEVER)
    with DeliverSide(kafka, silent=True) as deliver:
        order, other = bought(buyer, "pay_1"), bought(buyer, "pay_2")
        until(lambda: len(deliver.told) == 2)
        told, of_other = (
            next(one for one in deliver.told if one.key == each["order_id"])
            for each in (order, other)
        )
        deliver.say(delivered(told, number="FORGED"), "a-key-that-somebody-has-made-up-0123")
        deliver.say(delivered(told).model_copy(update={"type": "delivery.later"}))  # is let pass
        nonsense: list[Envelope] = [
            delivered(told, number=None),
            delivered(told, confirms=of_other.id),
            delivered(told, confirms=f"{told.key}:refunded-rfd-1"),
            delivered(told, order_id=of_other.key),
            delivered(of_other, confirms="ord_" + "0" * 32, order_id="ord_" + "0" * 32).model_copy(
                update={"key": told.key}
            ),
        ]
        for one in nonsense:
            deliver.say(one)
        right = delivered(told)
        for _ in range(3):
            deliver.say(right)
        deliver.say(delivered(of_other))
        for each in (order, other):
            until(lambda each=each: invoice(buyer, each) == "sent")
        until(lambda: _counted(buyer, "events_handled_total") == 5)
        assert _counted(buyer, "events_dead_letters_total") == 1 + len(nonsense)
        seen = buyer.look(order)
        assert seen["steps"]["invoice_number"] == "TEST/2627/000001"
        assert [one["what"] for one in seen["history"] if "mailed" in one["what"]] == [
            "invoice TEST/2627/000001: mailed"
        ]


def _counted(buyer: Buyer, name: str) -> float:
    lines = buyer.service.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))


def test_what_could_not_be_delivered_is_shown_and_asked_about_again(
    make_buyer: Callable[..., Buyer], kafka: Kafka, mongo: Mongo
) -> None:
    buyer = make_buyer()
    with DeliverSide(kafka) as deliver:
        deliver.problem = "PermanentFailure: the mail server refused the mail (550)"
        order = bought(buyer)
        until(lambda: invoice(buyer, order) == "delayed")
        assert "refused the mail" not in str(buyer.look(order))  # that is for operators
        deliver.problem = None
        with mongo.client() as client:  # instead of waiting for an hour
            changed = client[mongo.database][COLLECTION].update_one(
                {"_id": order["order_id"]},
                {"$set": {"publish_at": 0, f"outbox.{PAID}.send_at": 0}, "$inc": {"version": 1}},
            )
            assert changed.modified_count == 1
        until(lambda: invoice(buyer, order) == "sent")


def test_production_leaves_test_orders_unpublished(
    kafka: Kafka, make_order_service: MakeService, make_buyer: Callable[..., Buyer], mongo: Mongo
) -> None:
    kafka.kill()  # what a demo has left behind
    buyer = make_buyer(**NEVER)
    test, live = bought(buyer, "pay_1"), bought(buyer, "pay_2")
    with mongo.client() as client:
        orders = client[mongo.database][COLLECTION]
        orders.update_one({"_id": live["order_id"]}, {"$set": {"livemode": True}})
    kafka.start()
    with DeliverSide(kafka) as deliver:
        make_order_service(
            mode=Mode.PRODUCTION, mail_from="shop@example.com", kafka_url=kafka.url, **QUICK
        )
        until(lambda: deliver.ids(live["order_id"]))
        # Both were looked at; so the other one is not just late.
        with mongo.client() as client:
            orders = client[mongo.database][COLLECTION]
            looked_at = {"_id": test["order_id"], f"outbox.{PAID}.sends": {"$gt": 0}}
            until(lambda: orders.find_one(looked_at))
        assert deliver.ids(test["order_id"]) == set()
