"""What others are told of an order: once for each thing, and again until it is confirmed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from order_facts import NOW, TOTAL, new_order, payment, refund

from tracemypods.contracts.events import Delivered, DeliveryFailed, OrderPaid, OrderRefunded
from tracemypods.contracts.payments import Fact
from tracemypods.order.orders import machine, outbox
from tracemypods.order.orders.confirmations import confirmed
from tracemypods.order.orders.order import Order

RESEND = 120_000
LATER = NOW + 10_000


def after(order: Order, *facts: Fact) -> Order:
    for fact in facts:
        order = machine.apply(order, fact, "webhook", NOW) or order
    return order


PAID = after(new_order(), payment("pay_1", "captured"))


def delivered(order: Order, key: str) -> Order | None:
    said = Delivered(
        confirms=outbox.event_id(order.id, key),
        order_id=order.id,
        kind="invoice",
        number="TMP/2627/0000001",
        mailed_at=LATER,
    )
    return confirmed(order, key, said, LATER)


def failed(order: Order, reason: str) -> Order | None:
    said = DeliveryFailed(
        confirms=outbox.event_id(order.id, outbox.PAID),
        order_id=order.id,
        kind="invoice",
        reason=reason,
    )
    return confirmed(order, outbox.PAID, said, LATER)


def test_nothing_is_told_of_what_is_not_paid() -> None:
    order = after(new_order(), payment("pay_1", "authorized"), payment("pay_2", "captured", 100))
    assert (order.outbox, order.outbox_pending, order.publish_at) == ({}, None, None)


def test_a_payment_is_told_once_with_everything_that_an_invoice_needs() -> None:
    order = after(PAID, payment("pay_2", "captured"), payment("pay_1", "refunded"))
    assert list(order.outbox) == [outbox.PAID]
    assert (order.outbox_pending, order.publish_at) == (1, NOW)
    told = outbox.envelope(order, outbox.PAID)
    assert (told.id, told.key, told.type) == (f"{order.id}:paid", order.id, "order.paid")
    body = OrderPaid.model_validate(told.body)
    assert (body.payment_id, body.price, body.email) == ("pay_1", order.price, order.email)
    assert body.buyer.name == order.buyer.name
    assert told == outbox.envelope(PAID, outbox.PAID)


def test_refunds_of_what_paid_are_told_once_they_are_done() -> None:
    order = after(PAID, refund("rfnd_1", "pay_1", "pending", 4000))
    assert list(order.outbox) == [outbox.PAID]
    order = after(
        order,
        refund("rfnd_1", "pay_1", "processed", 4000),
        refund("rfnd_1", "pay_1", "processed", 4000),
        payment("pay_2", "captured"),
        refund("rfnd_2", "pay_2", "processed", TOTAL),
        refund("rfnd_3", "pay_1", "processed", 5900),
    )
    bodies = [
        OrderRefunded.model_validate(outbox.envelope(order, key).body)
        for key in order.outbox
        if key != outbox.PAID
    ]
    assert [(one.refund_id, one.amount, one.refunded_before) for one in bodies] == [
        ("rfnd_1", 4000, 0),
        ("rfnd_3", 5900, 4000),
    ]
    assert order.outbox_pending == 3


@given(st.lists(st.integers(1, TOTAL), max_size=6))
def test_no_more_is_credited_than_was_paid(amounts: list[int]) -> None:
    facts = [
        refund(f"rfnd_{number}", "pay_1", "processed", amount)
        for number, amount in enumerate(amounts)
    ]
    order = after(PAID, *facts)
    credited = [entry.amount for entry in order.outbox.values()]
    assert sum(credited) == min(sum(amounts), TOTAL)


def test_it_is_sent_again_until_it_is_confirmed() -> None:
    assert outbox.added(new_order(), PAID) == [outbox.PAID]
    assert outbox.added(PAID, PAID) == []
    assert outbox.due(PAID, NOW - 1) == []
    assert outbox.due(PAID, LATER) == [outbox.PAID]
    again = outbox.sent(PAID, [outbox.PAID], LATER, RESEND)
    assert again is not None
    assert again.publish_at == LATER + RESEND
    told = delivered(again, outbox.PAID)
    assert told is not None
    assert (told.outbox_pending, told.publish_at) == (None, None)
    assert told.outbox[outbox.PAID].number == "TMP/2627/0000001"
    assert told.history[-1].what == "invoice TMP/2627/0000001: mailed"
    assert delivered(told, outbox.PAID) is None
    assert outbox.sent(told, [outbox.PAID], LATER, RESEND) is None
    assert failed(told, "the mail server refused it") is None


def test_what_failed_is_asked_about_now_and_then() -> None:
    order = failed(PAID, "the mail server refused it")
    assert order is not None
    assert order.outbox[outbox.PAID].state == "failed"
    assert order.publish_at == LATER + outbox.FAILED_MILLISECONDS
    assert failed(order, "the mail server refused it") is None
    told = delivered(order, outbox.PAID)
    assert told is not None
    assert (told.outbox[outbox.PAID].state, told.publish_at) == ("delivered", None)
