"""Reads webhooks: which fact an event carries.

An event is about one thing, which its name says: a payment, a refund or a dispute. What else comes
along only tells which order it belongs to. `payment.captured` and `order.paid` are thus the same
fact, and so is what Razorpay says when it is asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tracemypods.contracts.payments import Fact
from tracemypods.payment.razorpay.entities import (
    DisputeEntity,
    Event,
    PaymentEntity,
    RefundEntity,
)


class UnreadableEvent(Exception):
    """A signed body that is no event as it is documented. The message names fields, no values."""


@dataclass(frozen=True)
class ReadEvent:
    """An event's name, and its fact if it has one for us."""

    name: str
    fact: Fact | None


def read_event(body: bytes, livemode: bool) -> ReadEvent:
    """Read a webhook's body. Raises UnreadableEvent."""
    try:
        event = Event.model_validate_json(body)
        return ReadEvent(event.event, _fact(event.event, event.payload, livemode))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        named = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['type']}" for one in found[:5]]
        raise UnreadableEvent("; ".join(named)) from None


def fact_key(fact: Fact) -> str:
    """The same for each snapshot of a thing that says the same of it.

    It holds what may change in a thing's life, and nothing that one source tells and another does
    not, such as the order of a refund.
    """
    refunded = fact.amount_refunded if fact.kind == "payment" else 0
    begin = fact_key_prefix(fact.kind, fact.id, fact.livemode)
    return f"{begin}{fact.status}:{fact.amount}:{fact.currency}:{refunded}"


def fact_key_prefix(kind: str, identifier: str, livemode: bool) -> str:
    """What all keys of one thing begin with. It ends with a colon."""
    return f"{'live' if livemode else 'test'}:{kind}:{identifier}:"


def body_key(body: bytes) -> str:
    """The key of a body without a fact: it is the same when its bytes are."""
    return f"body:{hashlib.sha256(body).hexdigest()}"


def _fact(name: str, payload: dict[str, Any], livemode: bool) -> Fact | None:
    if name.startswith("payment.downtime."):
        return None
    if name.startswith("payment.dispute."):
        return DisputeEntity.model_validate(_entity(payload, "dispute")).fact(
            livemode, _order_id(payload)
        )
    if name.startswith("refund."):
        return RefundEntity.model_validate(_entity(payload, "refund")).fact(
            livemode, _order_id(payload)
        )
    if name == "order.paid" or name.startswith("payment."):
        return PaymentEntity.model_validate(_entity(payload, "payment")).fact(livemode)
    return None


def _entity(payload: dict[str, Any], kind: str) -> Any:
    found = payload.get(kind)
    if not isinstance(found, dict) or "entity" not in found:
        raise UnreadableEvent(f"payload.{kind}.entity: missing")
    return found["entity"]  # pyright: ignore[reportUnknownVariableType] - checked by its model


def _order_id(payload: dict[str, Any]) -> str | None:
    """The order of the payment that comes along, if one does."""
    if "payment" not in payload:
        return None
    return PaymentEntity.model_validate(_entity(payload, "payment")).order_id
