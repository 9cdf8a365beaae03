"""An order, as MongoDB holds it. Money is in paise, times are Unix times in milliseconds."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from tracemypods.contracts.events import SoldBy
from tracemypods.contracts.payments import DisputeStatus, PaymentStatus
from tracemypods.contracts.prices import Price

TokenStatus = Literal["none", "unsure", "issued", "suspended", "revoked"]
"""`unsure`: one that was issued is being suspended or resumed."""

Status = Literal[
    "awaiting_payment",
    "expired",
    "paid",
    "fulfilled",
    "refunding",
    "partially_refunded",
    "refunded",
    "disputed",
    "dispute_lost",
]

RefundReason = Literal["surplus", "wrong_amount", "operator", "dashboard"]
RefundState = Literal["reserved", "pending", "failed", "processed", "refused"]
"""`reserved`: Razorpay may not have heard of it yet; `refused`: it will not do it."""


ORDER_ID = r"^ord_[0-9a-f]{32}$"
"""What an order's id looks like; see kit.ids."""


class Frozen(BaseModel):
    """Does not change, and ignores fields that a newer version has written."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Buyer(Frozen):
    """Who buys. `state` is India's two-digit GST code."""

    name: str
    country: str
    state: str | None = None
    gstin: str | None = None


class BoughtPlan(Frozen):
    """The plan as it was when it was bought."""

    id: str
    title: str
    days: int
    hsn: str


class Payment(Frozen):
    """An attempt to pay. `created_at` is in seconds, as Razorpay gives it."""

    status: PaymentStatus
    amount: int
    currency: str
    amount_refunded: int = 0
    method: str | None = None
    error_code: str | None = None
    error_description: str | None = None
    created_at: int

    @property
    def came_in(self) -> bool:
        """Whether its money was ours, even if it went back since."""
        return self.status in ("captured", "refunded")


class Refund(Frozen):
    """Money that goes back, or should."""

    payment_id: str
    amount: int
    reason: RefundReason
    state: RefundState
    razorpay_id: str | None = None
    by: str | None = None
    problem: str | None = None


class Dispute(Frozen):
    """A chargeback."""

    payment_id: str
    amount: int
    status: DisputeStatus
    reason_code: str | None = None


class Outgoing(Frozen):
    """What others have to be told: an entry of the outbox.

    `send_at` is when it has to be sent (again), and None once it is confirmed; `amount` and
    `before` are a refund's, and what had gone back before it. `number` is that of the document.
    """

    at: int
    state: Literal["pending", "delivered", "failed"] = "pending"
    send_at: int | None = None
    sends: int = 0
    amount: int = 0
    before: int = 0
    number: str | None = None
    problem: str | None = None


class Event(Frozen):
    """One line of an order's history."""

    at: int
    what: str
    source: str


class Order(Frozen):
    """One order. `paying` is the payment that it was fulfilled for; all others go back.

    `due_at` is when it has to be looked at: something is owed, or it expires; whoever does has it
    until `leased_until`. `slot` is which of an address' few open orders it is. `token` is what the
    token service has been told. `livemode` is None until payment has said it.
    `outbox_pending` is how many entries of the outbox are not confirmed, `publish_at` when the next
    of them has to be sent; neither is there when all are confirmed.
    """

    id: str = Field(validation_alias=AliasChoices("_id", "id"), serialization_alias="_id")
    version: int = 0
    created_at: int
    email: str
    plan: BoughtPlan
    buyer: Buyer
    seller: SoldBy = Field(default_factory=SoldBy)
    price: Price
    livemode: bool | None = None
    idempotency_key: str
    body_hash: str
    slot: str | None = None
    expired: bool = False
    razorpay_order_id: str | None = None
    key_id: str | None = None
    payments: dict[str, Payment] = Field(default_factory=dict[str, Payment])
    failed_attempts: int = 0
    refunds: dict[str, Refund] = Field(default_factory=dict[str, Refund])
    disputes: dict[str, Dispute] = Field(default_factory=dict[str, Dispute])
    paying: str | None = None
    token: TokenStatus = "none"  # noqa: S105 - a state
    token_shown: bool = False
    history: list[Event] = Field(default_factory=list[Event])
    outbox: dict[str, Outgoing] = Field(default_factory=dict[str, Outgoing])
    outbox_pending: int | None = None
    publish_at: int | None = None
    due_at: int | None = None
    leased_until: int = 0
    tries: int = 0

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)
