"""Disputes: a payer's bank takes a payment back, or tries to (api/disputes, payments/disputes).

open → under_review → won, lost or closed; each of the last three also at once. Only a lost one
takes money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tracemypods.kit.clock import Clock
from tracemypods.local.sandboxes.razorpay import validation
from tracemypods.local.sandboxes.razorpay.books import Books
from tracemypods.local.sandboxes.razorpay.entities import Dispute, DisputeStatus, Phase
from tracemypods.local.sandboxes.razorpay.errors import (
    Invalid,
    MalformedId,
    NotAllowed,
    UnknownId,
)
from tracemypods.local.sandboxes.razorpay.events import EventName, event
from tracemypods.local.sandboxes.razorpay.ids import is_id, new_id
from tracemypods.local.sandboxes.razorpay.payments import Payments
from tracemypods.local.sandboxes.razorpay.store import Store
from tracemypods.local.sandboxes.razorpay.webhooks import Webhooks

RESPOND_WITHIN_SECONDS = 7 * 24 * 3600

_HOLDING = frozenset({"open", "under_review", "lost"})
_OPEN = frozenset({"open", "under_review"})
_EVENTS: Mapping[DisputeStatus, EventName] = MappingProxyType(
    {
        "open": "payment.dispute.created",
        "under_review": "payment.dispute.under_review",
        "won": "payment.dispute.won",
        "lost": "payment.dispute.lost",
        "closed": "payment.dispute.closed",
    }
)
_EVIDENCE = (
    *("summary", "shipping_proof", "billing_proof", "cancellation_proof"),
    *("customer_communication", "proof_of_service", "explanation_letter", "refund_confirmation"),
    *("access_activity_log", "refund_cancellation_policy", "term_and_conditions", "others"),
    "submitted_at",
)


class Disputes:
    """The disputes of the account."""

    def __init__(
        self, store: Store, clock: Clock, payments: Payments, webhooks: Webhooks, books: Books
    ) -> None:
        self._store = store
        self._clock = clock
        self._payments = payments
        self._webhooks = webhooks
        self._books = books

    def get(self, dispute_id: str) -> Dispute:
        """A dispute. Raises MalformedId or UnknownId."""
        if not is_id("disp", dispute_id):
            raise MalformedId(dispute_id)
        found: Dispute | None = self._store.find("dispute", dispute_id)
        if found is None:
            raise UnknownId
        return found

    def page(self, page: validation.Page) -> list[Dispute]:
        """A part of the disputes, newest first."""
        return self._store.page("dispute", page)

    def open(
        self,
        payment_id: str,
        amount: int | None = None,
        phase: Phase = "chargeback",
        reason_code: str = "chargeback",
    ) -> Dispute:
        """Let the payer's bank dispute a payment: all that is left of it, unless told else (paise).

        Raises UnknownId, NotAllowed for a payment without money, and Invalid for too much of it.
        """
        with self._store.transaction():
            payment = self._payments.get(payment_id)
            held = amount_in_dispute(self._store.children("dispute", payment_id))
            left = payment["amount"] - payment["amount_refunded"] - held
            if not payment["captured"] or not left:
                raise NotAllowed("There is nothing of this payment that could be disputed.")
            amount = left if amount is None else amount
            if not 0 < amount <= left:
                raise Invalid("The amount in dispute is greater than what is left.", "amount")
            now = int(self._clock().timestamp())
            dispute: Dispute = {
                "id": new_id("disp"),
                "entity": "dispute",
                "payment_id": payment_id,
                "amount": amount,
                "currency": payment["currency"],
                "amount_deducted": 0,
                "reason_code": reason_code,
                "respond_by": now + RESPOND_WITHIN_SECONDS,
                "status": "open",
                "phase": phase,
                "created_at": now,
                "evidence": {"amount": amount, **dict.fromkeys(_EVIDENCE)},
            }
            self._store.add("dispute", dispute, parent=payment_id)
            self._webhooks.announce([event(_EVENTS["open"], now, payment, dispute=dispute)])
        return dispute

    def move(self, dispute_id: str, status: DisputeStatus) -> Dispute:
        """Let a dispute go on. Raises UnknownId, and NotAllowed for one that is over."""
        with self._store.transaction():
            dispute = self.get(dispute_id)
            forward = status != "open" and status != dispute["status"]
            if dispute["status"] not in _OPEN or not forward:
                raise NotAllowed(f"A dispute that is {dispute['status']} can't become {status}.")
            dispute["status"] = status
            if status == "lost":
                dispute["amount_deducted"] = dispute["amount"]
                self._books.note(dispute["payment_id"], "dispute_lost", -dispute["amount"])
            self._store.save(dispute)
            payment = self._payments.get(dispute["payment_id"])
            now = int(self._clock().timestamp())
            self._webhooks.announce([event(_EVENTS[status], now, payment, dispute=dispute)])
        return dispute


def amount_in_dispute(disputes: Sequence[Dispute]) -> int:
    """How much of a payment is held by open disputes or gone with lost ones, paise."""
    return sum(one["amount"] for one in disputes if one["status"] in _HOLDING)
