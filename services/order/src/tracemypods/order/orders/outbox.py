"""What others have to be told of an order, kept in the order itself until it is confirmed.

An entry is written by the same update as what it tells of, so there is never one without the other.
It stays until deliver has confirmed it, and is sent again until then, since a broker may forget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracemypods.contracts.events import (
    ORDER_PAID,
    ORDER_REFUNDED,
    BoughtBy,
    Envelope,
    Item,
    OrderPaid,
    OrderRefunded,
)
from tracemypods.order.orders.order import Order, Outgoing

PRODUCER = "order"
PAID = "paid"
"""The entry's key; those of refunds begin with REFUNDED."""
REFUNDED = "refunded-"

LONGEST_RESEND_MILLISECONDS = 30 * 60_000
FAILED_MILLISECONDS = 60 * 60_000
"""After how long is asked again what has become of a document that could not be delivered."""


@dataclass(frozen=True)
class Gaps:
    """When entries are sent again, in milliseconds.

    Each is published right after it is written. Only if nobody has confirmed it `first_look` later
    is it looked at, since whoever was to publish it may have died; and then after `resend`, twice
    that, and so on.
    """

    first_look: int
    resend: int


def announce(order: Order, now: int) -> Order:
    """The order with an entry for everything that others do not know yet."""
    if order.paying is None:
        return order
    known = dict(order.outbox)
    if PAID not in known:
        known[PAID] = Outgoing(at=now, send_at=now)
    for name, refund in order.refunds.items():
        key = f"{REFUNDED}{name}"
        if refund.payment_id != order.paying or refund.state != "processed" or key in known:
            continue
        before = sum(entry.amount for entry in known.values())
        paid = order.payments[order.paying].amount
        if (amount := min(refund.amount, paid - before)) > 0:
            known[key] = Outgoing(at=now, send_at=now, amount=amount, before=before)
    if len(known) == len(order.outbox):
        return order
    return with_outbox(order, known)


def with_outbox(order: Order, outbox: Mapping[str, Outgoing]) -> Order:
    """The order with these entries, and when the next of them has to be sent."""
    waiting = [entry.send_at for entry in outbox.values() if entry.send_at is not None]
    changes: dict[str, Any] = {
        "outbox": dict(outbox),
        "outbox_pending": len(waiting) or None,
        "publish_at": min(waiting, default=None),
    }
    return order.model_copy(update=changes)


def due(order: Order, by: int) -> list[str]:
    """The keys of the entries that had to be sent by then, the oldest first."""
    return [
        key
        for key, entry in order.outbox.items()
        if entry.send_at is not None and entry.send_at <= by
    ]


def added(before: Order, after: Order) -> list[str]:
    """The keys of the entries that a change has written."""
    return [key for key in after.outbox if key not in before.outbox]


def sent(order: Order, keys: list[str], now: int, resend: int) -> Order | None:
    """The order once these entries were sent again; None where all are confirmed meanwhile."""
    changed = dict(order.outbox)
    for key in keys:
        entry = changed[key]
        if entry.send_at is None:
            continue
        gap = min(resend * 2 ** min(entry.sends, 10), LONGEST_RESEND_MILLISECONDS)
        if entry.state == "failed":
            gap = FAILED_MILLISECONDS
        changed[key] = entry.model_copy(update={"sends": entry.sends + 1, "send_at": now + gap})
    return None if changed == order.outbox else with_outbox(order, changed)


def envelope(order: Order, key: str) -> Envelope:
    """An entry as an event: the same one, however often it is made."""
    entry = order.outbox[key]
    paid = _paid(order)
    body = paid
    kind = ORDER_PAID
    if key != PAID:
        kind = ORDER_REFUNDED
        body = OrderRefunded(
            paid=paid,
            refund_id=key.removeprefix(REFUNDED),
            amount=entry.amount,
            refunded_before=entry.before,
            refunded_at=entry.at,
        )
    return Envelope(
        id=event_id(order.id, key),
        type=kind,
        at=entry.at,
        key=order.id,
        producer=PRODUCER,
        body=body.model_dump(mode="json"),
    )


def event_id(order_id: str, key: str) -> str:
    """The id of an entry's event."""
    return f"{order_id}:{key}"


def key_of(event: str) -> tuple[str, str]:
    """The order's id and the entry's key of an event's id."""
    order_id, _, key = event.partition(":")
    return order_id, key


def _paid(order: Order) -> OrderPaid:
    paying = order.paying
    if paying is None:
        raise AssertionError("what is not paid has nothing to tell")
    return OrderPaid(
        order_id=order.id,
        livemode=order.livemode is True,
        payment_id=paying,
        paid_at=order.outbox[PAID].at,
        email=order.email,
        plan=Item.model_validate(order.plan.model_dump()),
        buyer=BoughtBy.model_validate(order.buyer.model_dump()),
        seller=order.seller,
        price=order.price,
    )
