"""What the API takes. Descriptions are those of Razorpay's "Test S2S, error index" if it has one.

Everything here raises Invalid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tracemypods.local.sandboxes.razorpay.entities import Notes
from tracemypods.local.sandboxes.razorpay.errors import Invalid

MINIMUM_PAISE = 100
MAX_RECEIPT = 40
MAX_NOTES = 15
MAX_NOTE = 256
MAX_COUNT = 100
DEFAULT_COUNT = 10
CURRENCIES = frozenset({"INR"})
"""An account takes rupees unless it was opened for more."""


def parse_body(body: bytes, fields: frozenset[str]) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty one. Other fields are refused."""
    if not body.strip():
        return {}
    try:
        given: object = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Invalid("The request body is not a valid JSON object.", None)
    values = cast("dict[str, Any]", given)
    extra = sorted(values.keys() - fields)
    if extra:
        names = ", ".join(extra)[:200]
        raise Invalid(
            f"{names} is/are not required and should not be sent",
            extra[0][:64],
            reason="extra_field_sent",
        )
    return values


def integer(value: object, field: str) -> int:
    """A whole number, also one that is written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(f"The {field} must be an integer.", field)
    return value


def order_amount(value: object, maximum: int) -> int:
    """The amount of an order, paise: at least one rupee."""
    if value is None:
        raise Invalid("amount: is required.", "amount")
    amount = integer(value, "amount")
    if amount < MINIMUM_PAISE:
        raise Invalid(
            "Order amount less than minimum amount allowed",
            "amount",
            step="order_creation",
            reason="amount_less_than_minimum_amount",
        )
    if amount > maximum:
        raise Invalid("Amount exceeds maximum amount allowed.", "amount")
    return amount


def refund_amount(value: object) -> int:
    """The amount of a refund, paise: at least one rupee (api/refunds/create-normal)."""
    amount = integer(value, "amount")
    if amount < MINIMUM_PAISE:
        raise Invalid("The amount must be at least INR 1.00", "amount")
    return amount


def currency(value: object) -> str:
    """A currency that the account takes."""
    if value is None:
        raise Invalid("currency: is required.", "currency")
    if not isinstance(value, str):
        raise Invalid(f"expected string but provided {value}"[:100], "currency")
    if value not in CURRENCIES:
        raise Invalid("Currency is not supported", "currency")
    return value


def receipt(value: object) -> str | None:
    """The caller's own number for a thing."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid("The receipt must be a string.", "receipt")
    if len(value) > MAX_RECEIPT:
        raise Invalid("The receipt may not be greater than 40 characters.", "receipt")
    return value


def notes(value: object) -> Notes:
    """Pairs of the caller's own."""
    if value is None or value in ([], {}):
        return []
    if not isinstance(value, dict):
        raise Invalid("The notes must be an array.", "notes")
    pairs = cast("dict[str, object]", value)
    if len(pairs) > MAX_NOTES:
        raise Invalid("Number of fields in notes should be less than or equal to 15", "notes")
    texts = {key: str(one) for key, one in pairs.items()}
    if any(len(part) > MAX_NOTE for pair in texts.items() for part in pair):
        raise Invalid("Notes may not be greater than 256 characters each.", "notes")
    return texts


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted. Times are Unix seconds, both included."""

    since: int | None
    until: int | None
    count: int
    skip: int
    receipt: str | None = None


def page(query: Mapping[str, str]) -> Page:
    """The part of a list that a query asks for: the newest ten unless it says else."""
    since, until = (
        integer(query[name], name) if name in query else None for name in ("from", "to")
    )
    count = integer(query.get("count", DEFAULT_COUNT), "count")
    skip = integer(query.get("skip", 0), "skip")
    if count < 1:
        raise Invalid("The count must be at least 1.", "count")
    if count > MAX_COUNT:
        raise Invalid("The count may not be greater than 100.", "count")
    return Page(since, until, count, skip, query.get("receipt"))
