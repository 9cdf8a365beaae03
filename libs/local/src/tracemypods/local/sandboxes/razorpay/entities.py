"""Razorpay's entities with their documented fields. Amounts are in paise, times Unix seconds."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, TypeVar

Notes = dict[str, str] | list[str]
"""Pairs; an empty list when there are none."""

OrderStatus = Literal["created", "attempted", "paid"]
PaymentStatus = Literal["created", "authorized", "captured", "refunded", "failed"]
RefundStatus = Literal["pending", "processed", "failed"]
DisputeStatus = Literal["open", "under_review", "won", "lost", "closed"]
Phase = Literal["fraud", "retrieval", "chargeback", "pre_arbitration", "arbitration"]
Speed = Literal["normal", "optimum"]


class Order(TypedDict):
    """api/orders/entity."""

    id: str
    entity: Literal["order"]
    amount: int
    amount_paid: int
    amount_due: int
    currency: str
    receipt: str | None
    offer_id: str | None
    status: OrderStatus
    attempts: int
    notes: Notes
    created_at: int


class Payment(TypedDict):
    """api/payments/entity, paid by UPI."""

    id: str
    entity: Literal["payment"]
    amount: int
    currency: str
    status: PaymentStatus
    order_id: str
    invoice_id: str | None
    international: bool
    method: str
    amount_refunded: int
    refund_status: Literal["partial", "full"] | None
    captured: bool
    description: str | None
    card_id: str | None
    bank: str | None
    wallet: str | None
    vpa: str | None
    email: str | None
    contact: str | None
    notes: Notes
    fee: int | None
    tax: int | None
    error_code: str | None
    error_description: str | None
    error_source: str | None
    error_step: str | None
    error_reason: str | None
    acquirer_data: dict[str, str | None]
    created_at: int
    upi: dict[str, str]


class Refund(TypedDict):
    """api/refunds/entity."""

    id: str
    entity: Literal["refund"]
    amount: int
    currency: str
    payment_id: str
    notes: Notes
    receipt: str | None
    acquirer_data: dict[str, str | None]
    created_at: int
    batch_id: str | None
    status: RefundStatus
    speed_requested: Speed
    speed_processed: Literal["normal", "instant"] | None


class Dispute(TypedDict):
    """api/disputes/entity."""

    id: str
    entity: Literal["dispute"]
    payment_id: str
    amount: int
    currency: str
    amount_deducted: int
    reason_code: str
    reason_description: NotRequired[str]
    respond_by: int
    status: DisputeStatus
    phase: Phase
    created_at: int
    evidence: dict[str, Any]


EntityT = TypeVar("EntityT", Order, Payment, Refund, Dispute)


def collection(items: list[EntityT]) -> dict[str, Any]:
    """A list as the API answers it."""
    return {"entity": "collection", "count": len(items), "items": items}
