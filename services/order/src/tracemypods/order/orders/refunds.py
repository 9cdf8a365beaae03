"""Refunds that an operator decides: reserved in the order first, so that two never exceed it."""

from __future__ import annotations

import hashlib

from tracemypods.kit.errors import Problem
from tracemypods.order.orders import machine
from tracemypods.order.orders.order import Order, Refund


class NotRefundable(Problem):
    """There is not so much left to be given back."""

    status, code = 409, "not_refundable"


def refund_id(order_id: str, idempotency_key: str) -> str:
    """The id of the refund that a key stands for: 10 to 40 characters that Razorpay takes."""
    digest = hashlib.sha256(f"{order_id}\0{idempotency_key}".encode()).hexdigest()
    return f"rfd-{digest[:32]}"


def reserve(order: Order, name: str, amount: int | None, by: str, now: int) -> Order | None:
    """The order with a refund of the payment that paid it; None where that was reserved already.

    `amount` is in paise, and all that is left when None. Raises NotRefundable.
    """
    known = order.refunds.get(name)
    if known is not None:
        if amount not in (None, known.amount):
            raise NotRefundable(
                "This Idempotency-Key was used for another amount.", code="idempotency_mismatch"
            )
        return None
    if order.paying is None:
        raise NotRefundable("Nothing has been paid for this order.")
    left = machine.refundable(order, order.paying)
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise NotRefundable(f"{left} paise are left that can be given back.")
    refund = Refund(
        payment_id=order.paying, amount=wanted, reason="operator", state="reserved", by=by
    )
    changed = order.model_copy(update={"refunds": {**order.refunds, name: refund}})
    return machine.settled(changed, f"refund {name}: reserved", f"operator {by}", now)
