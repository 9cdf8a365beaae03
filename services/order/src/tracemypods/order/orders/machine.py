"""The one state machine that facts from callbacks, webhooks and the reconciler all go through.

Pure: a fact makes a new order out of an order, or changes nothing. Facts arrive late, twice and in
any order, so states only go forward, and what is owed (a token, its end, money to be given back) is
worked out from what is known rather than from what has just happened.

One payment of exactly the price is what an order is fulfilled for, the first that is known to have
come in. Every other payment that comes in goes back.
"""

from __future__ import annotations

from typing import Any

from tracemypods.contracts.payments import DisputeFact, Fact, PaymentFact, RefundFact, Source
from tracemypods.order.orders import outbox
from tracemypods.order.orders.order import (
    Dispute,
    Event,
    Order,
    Payment,
    Refund,
    RefundReason,
    Status,
    TokenStatus,
)

PAYMENT_RANK = {"created": 0, "failed": 1, "authorized": 2, "captured": 3, "refunded": 4}
"""`failed` is below `authorized`: Razorpay may still hear from the bank for three days (its
"late authorisation")."""
REFUND_RANK = {"reserved": 0, "pending": 1, "refused": 2, "failed": 2, "processed": 3}
DISPUTE_RANK = {"open": 0, "under_review": 1, "closed": 2, "won": 2, "lost": 2}

ATTEMPTS_KEPT = 20
"""Failed attempts that are kept in an order: there may be thousands."""
EVENTS_KEPT = 100

NOT_GIVEN_BACK = ("failed", "refused")


def apply(order: Order, fact: Fact, source: Source, now: int) -> Order | None:
    """The order once the fact is known; None if that changes nothing. `now` in milliseconds.

    The caller has made sure that the fact is this order's.
    """
    changes: dict[str, Any] | None
    match fact:
        case PaymentFact():
            changes = _payment(order, fact)
        case RefundFact():
            changes = _refund(order, fact)
        case DisputeFact():
            changes = _dispute(order, fact)
    if not changes:
        return None
    what = f"{fact.kind} {fact.id}: {fact.status}"
    return settled(order.model_copy(update=changes), what, source, now)


def settled(order: Order, what: str, source: str, now: int) -> Order:
    """The order with what follows from what is known, and a line in its history."""
    order = _choose_payment(order)
    order = _give_back(order)
    order = outbox.announce(order, now)
    changes: dict[str, Any] = {
        "history": [*order.history, Event(at=now, what=what, source=source)][-EVENTS_KEPT:]
    }
    if order.paying is not None:
        changes["slot"] = None
    if is_owing(order):
        changes |= {"due_at": now, "tries": 0}
    elif order.paying is not None:
        changes["due_at"] = None
    return order.model_copy(update=changes)


def _payment(order: Order, fact: PaymentFact) -> dict[str, Any]:
    known = order.payments.get(fact.id)
    if known is not None:
        is_newer = PAYMENT_RANK[fact.status] > PAYMENT_RANK[known.status]
        status = fact.status if is_newer else known.status
        back = max(known.amount_refunded, fact.amount_refunded)
        if (status, back) == (known.status, known.amount_refunded):
            return {}
        errors = (
            {"error_code": fact.error_code, "error_description": fact.error_description}
            if is_newer
            else {}
        )
        payment = known.model_copy(update={"status": status, "amount_refunded": back, **errors})
        return {"payments": {**order.payments, fact.id: payment}}
    payment = Payment.model_validate(fact.model_dump())
    payments = {**order.payments, fact.id: payment}
    if fact.status != "failed":
        return {"payments": payments}
    failed = [name for name, one in payments.items() if one.status == "failed"]
    for name in failed[:-ATTEMPTS_KEPT]:
        del payments[name]
    return {"payments": payments, "failed_attempts": order.failed_attempts + 1}


def _refund(order: Order, fact: RefundFact) -> dict[str, Any]:
    name = _refund_name(order, fact)
    known = order.refunds.get(name)
    if known is None:
        refund = Refund(
            payment_id=fact.payment_id,
            amount=fact.amount,
            reason="dashboard",
            state=fact.status,
            razorpay_id=fact.id,
        )
        return {"refunds": {**order.refunds, name: refund}}
    if REFUND_RANK[fact.status] <= REFUND_RANK[known.state]:
        return {}
    refund = known.model_copy(
        update={"state": fact.status, "razorpay_id": fact.id, "amount": fact.amount}
    )
    return {"refunds": {**order.refunds, name: refund}}


def _refund_name(order: Order, fact: RefundFact) -> str:
    """Our id of a refund; Razorpay's for one that was made on its dashboard."""
    if fact.receipt is not None and fact.receipt in order.refunds:
        return fact.receipt
    for name, refund in order.refunds.items():
        if refund.razorpay_id == fact.id:
            return name
    return fact.id


def _dispute(order: Order, fact: DisputeFact) -> dict[str, Any]:
    known = order.disputes.get(fact.id)
    if known is not None and DISPUTE_RANK[fact.status] <= DISPUTE_RANK[known.status]:
        return {}
    dispute = Dispute.model_validate(fact.model_dump())
    return {"disputes": {**order.disputes, fact.id: dispute}}


def _choose_payment(order: Order) -> Order:
    if order.paying is not None:
        return order
    for name, payment in order.payments.items():
        if payment.came_in and is_exact(order, payment):
            return order.model_copy(update={"paying": name})
    return order


def is_exact(order: Order, payment: Payment) -> bool:
    """Whether a payment is of the order's price, in its currency."""
    return (payment.amount, payment.currency) == (order.price.total, order.price.currency)


def _give_back(order: Order) -> Order:
    """Reserve the refund of every payment that came in beside the one that paid.

    One that Razorpay refused, or that failed, is an operator's to decide.
    """
    refunds = dict(order.refunds)
    for name, payment in order.payments.items():
        if name == order.paying or not payment.came_in:
            continue
        ours = [one for key, one in refunds.items() if key.startswith(f"back-{name}-")]
        left = payment.amount - max(payment.amount_refunded, covered(order, name))
        if left <= 0 or any(one.state in NOT_GIVEN_BACK for one in ours):
            continue
        reason: RefundReason = "surplus" if is_exact(order, payment) else "wrong_amount"
        refunds[f"back-{name}-{len(ours)}"] = Refund(
            payment_id=name, amount=left, reason=reason, state="reserved"
        )
    if len(refunds) == len(order.refunds):
        return order
    return order.model_copy(update={"refunds": refunds})


def covered(order: Order, payment_id: str) -> int:
    """How much of a payment has gone back or is to."""
    return sum(
        refund.amount
        for refund in order.refunds.values()
        if refund.payment_id == payment_id and refund.state not in NOT_GIVEN_BACK
    )


def gone_back(order: Order, payment_id: str) -> int:
    """How much of a payment has gone back for sure."""
    processed = sum(
        refund.amount
        for refund in order.refunds.values()
        if refund.payment_id == payment_id and refund.state == "processed"
    )
    return max(order.payments[payment_id].amount_refunded, processed)


def refundable(order: Order, payment_id: str) -> int:
    """How much of a payment may still be given back."""
    payment = order.payments[payment_id]
    if not payment.came_in:
        return 0
    return payment.amount - max(payment.amount_refunded, covered(order, payment_id))


def wanted_token(order: Order) -> TokenStatus:
    """What should hold of the order's token."""
    if order.paying is None:
        return "none"
    if order.token == "revoked":  # noqa: S105 - a state, and the last one
        return "revoked"
    paid = order.payments[order.paying].amount
    disputes = {one.status for one in order.disputes.values() if one.payment_id == order.paying}
    if "lost" in disputes or gone_back(order, order.paying) >= paid:
        return "revoked"
    if disputes & {"open", "under_review"} or covered(order, order.paying) >= paid:
        return "suspended"
    return "issued"


def next_token(order: Order) -> TokenStatus | None:
    """What the token service is to be told; None if nothing. Only an issued token is suspended."""
    wanted = wanted_token(order)
    if wanted == order.token or (order.token, wanted) == ("none", "suspended"):
        return None
    return wanted


def reserved(order: Order) -> list[str]:
    """Refunds that Razorpay has to be asked for."""
    return [name for name, refund in order.refunds.items() if refund.state == "reserved"]


def is_owing(order: Order) -> bool:
    """Whether something has to be done because of what is known."""
    return next_token(order) is not None or bool(reserved(order))


def status(order: Order) -> Status:
    """What an order is called at present."""
    if order.paying is None:
        return "expired" if order.expired else "awaiting_payment"
    disputes = {one.status for one in order.disputes.values() if one.payment_id == order.paying}
    paid, back = order.payments[order.paying].amount, gone_back(order, order.paying)
    if "lost" in disputes:
        return "dispute_lost"
    if disputes & {"open", "under_review"}:
        return "disputed"
    if back >= paid:
        return "refunded"
    if covered(order, order.paying) >= paid:
        return "refunding"
    if order.token == "none":  # noqa: S105 - a state
        return "paid"
    return "partially_refunded" if back else "fulfilled"


def exceptions(order: Order) -> list[str]:
    """What an operator should look at, by name."""
    found: list[str] = []
    for name, payment in order.payments.items():
        if payment.came_in and not is_exact(order, payment):
            found.append(f"amount_mismatch {name}")
        elif payment.came_in and name != order.paying:
            found.append(f"paid_again {name}")
    found += [
        f"refund_{refund.state} {name}"
        for name, refund in order.refunds.items()
        if refund.state in NOT_GIVEN_BACK
    ]
    found += [
        f"dispute_{one.status} {name}"
        for name, one in order.disputes.items()
        if one.status != "closed"
    ]
    return found
