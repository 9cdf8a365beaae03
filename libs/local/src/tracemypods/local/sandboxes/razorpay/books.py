"""Where the money is: every movement is written down, apart from what the entities say.

Amounts are in paise; what comes in is positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracemypods.local.sandboxes.razorpay.store import Store

Reason = Literal["capture", "refund", "refund_failed", "dispute_lost"]


@dataclass(frozen=True)
class Balance:
    """Sums over all payments, or over one. `left` is what the seller still has."""

    captured: int
    refunded: int
    deducted: int
    left: int


class Books:
    """Writes movements down, and adds them up."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def note(self, payment_id: str, reason: Reason, amount: int) -> None:
        """Write down a movement."""
        self._database.execute(
            "INSERT INTO money (payment_id, reason, amount) VALUES (?, ?, ?)",
            (payment_id, reason, amount),
        )

    def balance(self, payment_id: str | None = None) -> Balance:
        """Add up, for one payment or for all."""
        rows = self._database.execute(
            "SELECT reason, SUM(amount) AS total FROM money"
            " WHERE ? IS NULL OR payment_id = ? GROUP BY reason",
            (payment_id, payment_id),
        )
        totals: dict[str, int] = {row["reason"]: row["total"] for row in rows}
        return Balance(
            captured=totals.get("capture", 0),
            refunded=-totals.get("refund", 0) - totals.get("refund_failed", 0),
            deducted=-totals.get("dispute_lost", 0),
            left=sum(totals.values()),
        )
