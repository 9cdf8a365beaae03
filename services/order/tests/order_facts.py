"""Orders and facts to try the state machine with."""

from __future__ import annotations

from typing import Any

from tracemypods.contracts.payments import DisputeFact, PaymentFact, RefundFact
from tracemypods.order.orders.order import BoughtPlan, Buyer, Order
from tracemypods.order.sales.price import price

TOTAL = 9900
NOW = 1_800_000_000_000
RAZORPAY_ORDER = "order_00000000000001"


def new_order(**fields: Any) -> Order:
    """An order that waits for its payment."""
    values: dict[str, Any] = {
        "id": "ord_" + "0" * 32,
        "created_at": NOW,
        "email": "asha@example.test",
        "plan": BoughtPlan(id="premium-30", title="Premium", days=30, hsn="998439"),
        "buyer": Buyer(name="Asha", country="IN", state="27"),
        "price": price(TOTAL, 1800, seller_state="27", buyer_state="27"),
        "livemode": False,
        "idempotency_key": "k",
        "body_hash": "b",
        "slot": "owner:0",
        "razorpay_order_id": RAZORPAY_ORDER,
        "key_id": "rzp_test_1",
        **fields,
    }
    return Order(**values)


def payment(name: str, status: str, amount: int = TOTAL, **fields: Any) -> PaymentFact:
    """A payment as Razorpay shows it."""
    values: dict[str, Any] = {
        "id": name,
        "razorpay_order_id": RAZORPAY_ORDER,
        "status": status,
        "amount": amount,
        "currency": "INR",
        "created_at": 1,
        "livemode": False,
        **fields,
    }
    return PaymentFact(**values)


def refund(name: str, of: str, status: str, amount: int, receipt: str | None = None) -> RefundFact:
    """A refund as Razorpay shows it."""
    values: dict[str, Any] = {
        "id": name,
        "payment_id": of,
        "razorpay_order_id": RAZORPAY_ORDER,
        "status": status,
        "amount": amount,
        "currency": "INR",
        "receipt": receipt,
        "created_at": 1,
        "livemode": False,
    }
    return RefundFact(**values)


def dispute(name: str, of: str, status: str) -> DisputeFact:
    """A dispute as Razorpay shows it."""
    values: dict[str, Any] = {
        "id": name,
        "payment_id": of,
        "razorpay_order_id": RAZORPAY_ORDER,
        "status": status,
        "amount": TOTAL,
        "currency": "INR",
        "created_at": 1,
        "livemode": False,
    }
    return DisputeFact(**values)
