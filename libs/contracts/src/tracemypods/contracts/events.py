"""Events: what services tell each other over Kafka, for what may happen later.

Every event travels in one envelope, under the order's id as its key. Readers ignore fields that
they don't know, so that versions can differ during an upgrade. No token is ever in an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.prices import Price
from tracemypods.contracts.seller import Scheme

ORDERS = "orders"
"""From order to deliver: `order.paid` and `order.refunded`."""
DELIVERIES = "deliveries"
"""From deliver to order: `delivery.delivered` and `delivery.failed`."""

ORDER_PAID = "order.paid"
ORDER_REFUNDED = "order.refunded"
DELIVERED = "delivery.delivered"
DELIVERY_FAILED = "delivery.failed"

DEAD_LETTERS = ".dlt"
"""Ends the name of the topic for records of another one that can't be handled."""


@dataclass(frozen=True)
class Topic:
    """Who writes a topic, who reads it, and in how many partitions it lies."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    partitions: int = 4


TOPICS = (Topic(ORDERS, "order", ("deliver",)), Topic(DELIVERIES, "deliver", ("order",)))
"""As fleet.toml has them; a test holds both together."""

DocumentKind = Literal["invoice", "credit_note"]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Envelope(_Read):
    """What is around every event. `id` is the same however often it is sent; `at` is in
    milliseconds; `traceparent` is the trace of what made it happen."""

    id: str = Field(min_length=1, max_length=200)
    type: str = Field(min_length=1, max_length=100)
    version: int = 1
    at: int
    key: str = Field(min_length=1, max_length=100)
    producer: str = Field(min_length=1, max_length=40)
    traceparent: str | None = None
    body: dict[str, Any]


class Item(_Read):
    """What was bought, as it was then."""

    id: str
    title: str = Field(max_length=200)
    days: int
    hsn: str = Field(max_length=20)


class BoughtBy(_Read):
    """Who bought. `state` is India's two-digit GST code."""

    name: str = Field(min_length=1, max_length=200)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    state: str | None = None
    gstin: str | None = None


class SoldBy(_Read):
    """Who sold, as config/seller.toml said when the order was paid. `lut` is there only for a sale
    abroad without tax."""

    name: str = ""
    address: str = ""
    gstin: str | None = None
    scheme: Scheme = "regular"
    lut: str | None = None
    email: str = ""
    phone: str = ""


class OrderPaid(_Read):
    """An order was paid. Times are in milliseconds."""

    order_id: str
    livemode: bool
    payment_id: str
    paid_at: int
    email: str
    plan: Item
    buyer: BoughtBy
    seller: SoldBy
    price: Price


class OrderRefunded(_Read):
    """Some of what was paid went back: `amount` after `refunded_before`, in paise."""

    paid: OrderPaid
    refund_id: str
    amount: int = Field(gt=0)
    refunded_before: int = Field(ge=0)
    refunded_at: int


class Delivered(_Read):
    """The document that follows from the event `confirms` has been mailed."""

    confirms: str
    order_id: str
    kind: DocumentKind
    number: str
    mailed_at: int


class DeliveryFailed(_Read):
    """It could not be, in all its tries; an operator may have it tried again."""

    confirms: str
    order_id: str
    kind: DocumentKind
    reason: str
