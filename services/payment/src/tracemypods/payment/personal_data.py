"""What of a webhook's body may be shown: what is known to say nothing about a person."""

from __future__ import annotations

from typing import Any, cast

WITHHELD = "withheld"

DEEPEST = 20

_HARMLESS = frozenset(
    {
        *("entity", "account_id", "event", "contains", "payload", "created_at"),
        *("payment", "order", "refund", "dispute"),
        *("id", "order_id", "payment_id", "receipt", "invoice_id", "batch_id"),
        *("amount", "currency", "status", "method", "captured", "international"),
        *("amount_refunded", "refund_status", "amount_paid", "amount_due", "amount_deducted"),
        *("fee", "tax", "attempts", "offer_id"),
        *("error_code", "error_description", "error_source", "error_step", "error_reason"),
        *("speed_requested", "speed_processed"),
        *("reason_code", "respond_by", "phase"),
    }
)


def without_personal_data(value: Any, depth: int = 0) -> Any:
    """A JSON value of which only the harmless fields are left; others say that they are withheld.

    What has the name of a harmless field and is an object is looked into as well.
    """
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            name: (
                without_personal_data(inner, depth + 1)
                if name in _HARMLESS and depth < DEEPEST
                else (WITHHELD if inner not in (None, [], {}) else inner)
            )
            for name, inner in fields.items()
        }
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [without_personal_data(one, depth + 1) for one in items[:100]]
    return value
