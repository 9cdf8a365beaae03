"""Events as webhooks carry them: a snapshot of the entities that they are about."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

from tracemypods.local.sandboxes.razorpay.entities import Dispute, Order, Payment, Refund
from tracemypods.local.sandboxes.razorpay.ids import ACCOUNT, new_id

EventName = Literal[
    "payment.authorized",
    "payment.captured",
    "payment.failed",
    "order.paid",
    "refund.created",
    "refund.processed",
    "refund.failed",
    "payment.dispute.created",
    "payment.dispute.under_review",
    "payment.dispute.won",
    "payment.dispute.lost",
    "payment.dispute.closed",
]


@dataclass(frozen=True)
class Event:
    """Something that has happened. `created_at` is in Unix seconds."""

    event_id: str
    name: EventName
    payment_id: str
    order_id: str
    body: dict[str, Any]


def event(
    name: EventName,
    now: int,
    payment: Payment,
    *,
    order: Order | None = None,
    refund: Refund | None = None,
    dispute: Dispute | None = None,
) -> Event:
    """An event about a payment and, beside it, one of the others."""
    contained: dict[str, Any] = {"payment": payment}
    if order is not None:
        contained["order"] = order
    if dispute is not None:
        contained["dispute"] = dispute
    if refund is not None:
        contained = {"refund": refund, **contained}
    body = {
        "entity": "event",
        "account_id": ACCOUNT,
        "event": name,
        "contains": list(contained),
        "payload": {kind: {"entity": copy.deepcopy(one)} for kind, one in contained.items()},
        "created_at": now,
    }
    return Event(new_id(), name, payment["id"], payment["order_id"], body)
