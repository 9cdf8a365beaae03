"""Paid orders and their refunds, as order tells of them."""

from __future__ import annotations

from typing import Any

from tracemypods.contracts.events import (
    ORDER_PAID,
    ORDER_REFUNDED,
    BoughtBy,
    Envelope,
    Item,
    OrderPaid,
    OrderRefunded,
    SoldBy,
)
from tracemypods.contracts.prices import Price, Tax

NOW = 1_795_000_000_000
"""18 November 2026."""
GSTIN = "27AAPFU0939F1ZV"
SELLER = SoldBy(
    name="Example Traders",
    address="1 Example Street\nMumbai 400001",
    gstin=GSTIN,
    email="help@example.test",
)
INTER = [("IGST", 1800, 1510)]
INTRA = [("CGST", 900, 755), ("SGST", 900, 755)]


def order_id(number: int = 1) -> str:
    return f"ord_{number:032x}"


def price(total: int, taxes: list[tuple[str, int, int]]) -> Price:
    """A price with taxes, each with name, rate and amount."""
    return Price(
        total=total,
        taxable=total - sum(amount for _, _, amount in taxes),
        taxes=[Tax(name=name, rate=rate, amount=amount) for name, rate, amount in taxes],
    )


def paid(number: int = 1, **fields: Any) -> OrderPaid:
    """A paid order."""
    values: dict[str, Any] = {
        "order_id": order_id(number),
        "livemode": True,
        "payment_id": f"pay_{number}",
        "paid_at": NOW,
        "email": f"buyer{number}@example.test",
        "plan": Item(id="premium-30", title="Premium, 30 days", days=30, hsn="998439"),
        "buyer": BoughtBy(name="A Buyer", country="IN", state="29"),
        "seller": SELLER,
        "price": price(9900, INTER),
        **fields,
    }
    return OrderPaid(**values)


def told(order: OrderPaid) -> Envelope:
    """The event of a paid order."""
    return Envelope(
        id=f"{order.order_id}:paid",
        type=ORDER_PAID,
        at=order.paid_at,
        key=order.order_id,
        producer="order",
        body=order.model_dump(mode="json"),
    )


def refunded(order: OrderPaid, amount: int, before: int = 0, name: str = "rfd-1") -> OrderRefunded:
    """A refund of it."""
    return OrderRefunded(
        paid=order, refund_id=name, amount=amount, refunded_before=before, refunded_at=NOW
    )


def told_refund(refund: OrderRefunded) -> Envelope:
    """The event of a refund."""
    order = refund.paid
    return Envelope(
        id=f"{order.order_id}:refunded-{refund.refund_id}",
        type=ORDER_REFUNDED,
        at=NOW,
        key=order.order_id,
        producer="order",
        body=refund.model_dump(mode="json"),
    )
