"""Razorpay's entities, as far as we need them, and the facts that they are for order."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.payments import (
    Amount,
    Currency,
    DisputeFact,
    DisputeStatus,
    PaymentFact,
    PaymentStatus,
    RazorpayId,
    RefundFact,
    RefundStatus,
)

LONGEST_RECEIPT = 40

UnixSeconds = Annotated[int, Field(ge=0, le=10**11)]


class _Entity(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class OrderEntity(_Entity):
    """An order at Razorpay."""

    id: RazorpayId
    amount: Amount
    currency: Currency
    receipt: str | None = None
    created_at: UnixSeconds


class PaymentEntity(_Entity):
    """A payment. What it says of a card, an e-mail address or a phone is not read."""

    id: RazorpayId
    order_id: RazorpayId | None = None
    status: PaymentStatus
    amount: Amount
    currency: Currency
    amount_refunded: Amount | None = None
    method: str | None = None
    error_code: str | None = None
    error_description: str | None = None
    created_at: UnixSeconds

    def fact(self, livemode: bool) -> PaymentFact:
        """What order is told."""
        return PaymentFact(
            id=self.id,
            razorpay_order_id=self.order_id,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            amount_refunded=self.amount_refunded or 0,
            method=_cut(self.method, 40),
            error_code=_cut(self.error_code, 100),
            error_description=_cut(self.error_description, 500),
            created_at=self.created_at,
            livemode=livemode,
        )


class RefundEntity(_Entity):
    """A refund. It does not name the order, which its payment does."""

    id: RazorpayId
    payment_id: RazorpayId
    status: RefundStatus
    amount: Amount
    currency: Currency
    receipt: str | None = None
    created_at: UnixSeconds

    def fact(self, livemode: bool, razorpay_order_id: str | None) -> RefundFact:
        """What order is told. A receipt that is too long to be ours is left out."""
        ours = self.receipt is not None and len(self.receipt) <= LONGEST_RECEIPT
        return RefundFact(
            id=self.id,
            payment_id=self.payment_id,
            razorpay_order_id=razorpay_order_id,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            receipt=self.receipt if ours else None,
            created_at=self.created_at,
            livemode=livemode,
        )


class DisputeEntity(_Entity):
    """A dispute. It does not name the order, which its payment does."""

    id: RazorpayId
    payment_id: RazorpayId
    status: DisputeStatus
    amount: Amount
    currency: Currency
    reason_code: str | None = None
    created_at: UnixSeconds

    def fact(self, livemode: bool, razorpay_order_id: str | None) -> DisputeFact:
        """What order is told."""
        return DisputeFact(
            id=self.id,
            payment_id=self.payment_id,
            razorpay_order_id=razorpay_order_id,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            reason_code=_cut(self.reason_code, 100),
            created_at=self.created_at,
            livemode=livemode,
        )


EntityT = TypeVar("EntityT", OrderEntity, PaymentEntity, RefundEntity, DisputeEntity)


class Collection(BaseModel, Generic[EntityT]):
    """A page of a list."""

    items: list[EntityT]


class Event(BaseModel):
    """The envelope of a webhook: `payload` has an object with an `entity` for each kind."""

    model_config = ConfigDict(extra="ignore")

    event: str = Field(min_length=1, max_length=100)
    payload: dict[str, Any] = Field(default_factory=dict[str, Any])


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]
