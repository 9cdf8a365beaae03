"""Payments: what the payment service and the order service say to each other.

Money is in the smallest unit of its currency (paise). Times are Unix times in seconds, as Razorpay
gives them. A fact is a snapshot of something at Razorpay; it may arrive late, twice and out of
order, from a webhook, from a question of ours, or from a browser. Readers ignore fields that they
don't know, so that versions can differ during an upgrade.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FACTS_PATH = "/internal/orders/facts"
"""Order's: payment hands a FactIn to it, until it is answered with FactOut."""

ABOUT_PATH = "/internal/payments/about"
"""Payment's, with GET: About."""

CREATE_PATH = "/internal/payments/orders"
"""Payment's: order has an order made at Razorpay, idempotent by receipt (CreateIn → Created)."""

CHECK_PATH = "/internal/payments/check"
"""Payment's: order has what a browser brought back checked (CheckIn → PaymentFact)."""

REFUND_PATH = "/internal/payments/refunds"
"""Payment's: order has money given back, idempotent by refund id (RefundIn → RefundFact)."""

SANDBOX_KEY_ID = "rzp_test_SandboxOfThisFleet"
"""The key id that the sandbox has, and payment shows it, where nobody has set another."""

Source = Literal["webhook", "reconciler", "callback"]
PaymentStatus = Literal["created", "failed", "authorized", "captured", "refunded"]
"""In the order in which they are believed: `failed` may still become `authorized` for three days
(late authorisation), what was captured does not fail any more."""
RefundStatus = Literal["pending", "failed", "processed"]
DisputeStatus = Literal["open", "under_review", "won", "lost", "closed"]

ReceiptId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
"""Our order's id: Razorpay takes at most 40 characters for a receipt."""
RazorpayId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]
Amount = Annotated[int, Field(strict=True, ge=0, le=10**12)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Lenient(BaseModel):
    """Ignores unknown fields: the other side may be newer."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PaymentFact(_Lenient):
    """A payment as Razorpay showed it."""

    kind: Literal["payment"] = "payment"
    id: RazorpayId
    razorpay_order_id: RazorpayId | None
    status: PaymentStatus
    amount: Amount
    currency: Currency
    amount_refunded: Amount = 0
    method: str | None = Field(None, max_length=40)
    error_code: str | None = Field(None, max_length=100)
    error_description: str | None = Field(None, max_length=500)
    created_at: int
    livemode: bool


class RefundFact(_Lenient):
    """A refund as Razorpay showed it.

    `receipt` is our refund's id; None for one that was made on Razorpay's dashboard.
    """

    kind: Literal["refund"] = "refund"
    id: RazorpayId
    payment_id: RazorpayId
    razorpay_order_id: RazorpayId | None
    status: RefundStatus
    amount: Amount
    currency: Currency
    receipt: str | None = Field(None, max_length=40)
    created_at: int
    livemode: bool


class DisputeFact(_Lenient):
    """A dispute (chargeback) as Razorpay showed it."""

    kind: Literal["dispute"] = "dispute"
    id: RazorpayId
    payment_id: RazorpayId
    razorpay_order_id: RazorpayId | None
    status: DisputeStatus
    amount: Amount
    currency: Currency
    reason_code: str | None = Field(None, max_length=100)
    created_at: int
    livemode: bool


Fact = Annotated[PaymentFact | RefundFact | DisputeFact, Field(discriminator="kind")]


class FactIn(_Lenient):
    """A fact for order, and where it came from."""

    source: Source
    fact: Fact


class FactOut(_Lenient):
    """What order made of it. Each is an end: the fact needs not be sent again.

    `applied`: it changed the order; `known`: it changed nothing; `unmatched`: there is no such
    order here, or the fact's `livemode` is another one than the order's.
    """

    outcome: Literal["applied", "known", "unmatched"]
    order_id: str | None = None


class CreateIn(_Lenient):
    """The order to make at Razorpay."""

    receipt: ReceiptId
    amount: Annotated[int, Field(strict=True, ge=100, le=10**12)]
    currency: Currency
    notes: dict[str, Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict[str, str], max_length=15
    )


class About(_Lenient):
    """Whose payments these are. `checkout_url` is the script that opens Razorpay's checkout."""

    livemode: bool
    checkout_url: str


class Created(_Lenient):
    """The order at Razorpay. `key_id` is public: the browser gives it to Razorpay's checkout."""

    razorpay_order_id: RazorpayId
    amount: Amount
    currency: Currency
    key_id: str
    livemode: bool


class CheckIn(_Lenient):
    """What Razorpay's checkout handed to the browser; the order's id is from our own records."""

    razorpay_order_id: RazorpayId
    razorpay_payment_id: RazorpayId
    razorpay_signature: Annotated[str, Field(max_length=200)]


class RefundIn(_Lenient):
    """What to give back. A repeated `refund_id` is the same refund."""

    refund_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{10,40}$")]
    payment_id: RazorpayId
    amount: Annotated[int, Field(strict=True, ge=1, le=10**12)]
    reason: Annotated[str, Field(max_length=200)]
