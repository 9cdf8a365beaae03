"""Refunds: money that goes back, in part or in full (api/refunds).

pending → processed, or pending → failed. A refund counts from its creation on, so that no two of
them together exceed the payment; one that fails gives its amount back to the payment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from tracemypods.kit.clock import Clock
from tracemypods.local.sandboxes.razorpay import validation
from tracemypods.local.sandboxes.razorpay.books import Books
from tracemypods.local.sandboxes.razorpay.disputes import amount_in_dispute
from tracemypods.local.sandboxes.razorpay.entities import Payment, Refund, RefundStatus, Speed
from tracemypods.local.sandboxes.razorpay.errors import (
    Conflict,
    Invalid,
    MalformedId,
    NotAllowed,
    UnknownId,
)
from tracemypods.local.sandboxes.razorpay.events import event
from tracemypods.local.sandboxes.razorpay.ids import is_id, new_id
from tracemypods.local.sandboxes.razorpay.payments import Payments, bank_reference
from tracemypods.local.sandboxes.razorpay.store import Store
from tracemypods.local.sandboxes.razorpay.webhooks import Webhooks

FIELDS = frozenset({"amount", "speed", "notes", "receipt"})
MINIMUM_KEY_LENGTH = 10


class Refunds:
    """The refunds of the account."""

    def __init__(
        self, store: Store, clock: Clock, payments: Payments, webhooks: Webhooks, books: Books
    ) -> None:
        self._store = store
        self._clock = clock
        self._payments = payments
        self._webhooks = webhooks
        self._books = books
        self._in_flight: set[str] = set()

    def get(self, refund_id: str) -> Refund:
        """A refund. Raises MalformedId or UnknownId."""
        if not is_id("rfnd", refund_id):
            raise MalformedId(refund_id)
        found: Refund | None = self._store.find("refund", refund_id)
        if found is None:
            raise UnknownId
        return found

    def page(self, page: validation.Page) -> list[Refund]:
        """A part of the refunds, newest first."""
        return self._store.page("refund", page)

    def of_payment(self, payment_id: str, page: validation.Page) -> list[Refund]:
        """A part of a payment's refunds, newest first. Raises MalformedId or UnknownId."""
        self._payments.get(payment_id)
        return self._store.page("refund", page, parent=payment_id)

    @contextmanager
    def holding(self, key: str | None) -> Generator[None]:
        """Keep an idempotency key for the time of a request.

        Raises Invalid for one of the wrong shape, and Conflict for one that another request holds.
        """
        if key is None:
            yield
            return
        if len(key) < MINIMUM_KEY_LENGTH:
            raise Invalid("The idempotency key must be at least 10 characters long.", None)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", key):
            raise Invalid(
                "The idempotency key must only contain alphanumeric characters, underscores, "
                "and hyphens",
                None,
            )
        if key in self._in_flight:
            raise Conflict("Another request with the same idempotency key is still in progress.")
        self._in_flight.add(key)
        try:
            yield
        finally:
            self._in_flight.discard(key)

    def create(
        self,
        payment_id: str,
        given: Mapping[str, Any],
        *,
        key: str | None = None,
        status: RefundStatus = "processed",
    ) -> Refund:
        """Refund a payment, all that is left of it unless an amount (paise) is given.

        A key that was used for the same request gives the refund of then; for another one, it is a
        Conflict. Raises Invalid, UnknownId, and NotAllowed for a payment that was not captured or
        is refunded in full. What is in dispute cannot be refunded.
        """
        request = json.dumps([payment_id, given], sort_keys=True)
        with self._store.transaction():
            before = self._made_with(key, request)
            if before is not None:
                return before
            payment = self._payments.get(payment_id)
            amount = self._amount(payment, given.get("amount"))
            refund = self._new(payment, amount, given, status)
            payment["amount_refunded"] += amount
            self._store.add("refund", refund, parent=payment_id)
            self._books.note(payment_id, "refund", -amount)
            self._save(payment)
            now = refund["created_at"]
            events = [event("refund.created", now, payment, refund=refund)]
            if status == "processed":
                events.append(event("refund.processed", now, payment, refund=refund))
            self._webhooks.announce(events)
            if key is not None:
                self._store.database.execute(
                    "INSERT INTO idempotency (key, request, refund_id) VALUES (?, ?, ?)",
                    (key, request, refund["id"]),
                )
            return self.fail(refund["id"]) if status == "failed" else refund

    def process(self, refund_id: str) -> Refund:
        """Let a pending refund reach its payer. Raises NotAllowed for one that is not pending."""
        with self._store.transaction():
            refund = self._pending(refund_id)
            _complete(refund)
            self._store.save(refund)
            payment = self._payments.get(refund["payment_id"])
            self._webhooks.announce(
                [event("refund.processed", self._now(), payment, refund=refund)]
            )
        return refund

    def fail(self, refund_id: str) -> Refund:
        """Let a pending refund fail. Raises NotAllowed for one that is not pending."""
        with self._store.transaction():
            refund = self._pending(refund_id)
            refund["status"] = "failed"
            self._store.save(refund)
            payment = self._payments.get(refund["payment_id"])
            payment["amount_refunded"] -= refund["amount"]
            self._books.note(payment["id"], "refund_failed", refund["amount"])
            self._save(payment)
            self._webhooks.announce([event("refund.failed", self._now(), payment, refund=refund)])
        return refund

    def _made_with(self, key: str | None, request: str) -> Refund | None:
        row = self._store.database.execute(
            "SELECT request, refund_id FROM idempotency WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        if row["request"] != request:
            raise Conflict(
                "Different request with the same idempotency key has already been processed."
            )
        return self.get(row["refund_id"])

    def _amount(self, payment: Payment, given: object) -> int:
        if not payment["captured"]:
            raise NotAllowed("The payment status should be captured for action to be taken")
        if payment["amount_refunded"] == payment["amount"]:
            raise NotAllowed("The payment has been fully refunded already")
        disputes = self._store.children("dispute", payment["id"])
        left = payment["amount"] - payment["amount_refunded"] - amount_in_dispute(disputes)
        amount = left if given is None else validation.refund_amount(given)
        if amount > left or not left:
            raise Invalid("The refund amount provided is greater than amount captured", "amount")
        return amount

    def _new(
        self, payment: Payment, amount: int, given: Mapping[str, Any], status: RefundStatus
    ) -> Refund:
        speed: object = given.get("speed", "normal")
        if speed not in ("normal", "optimum"):
            raise Invalid("The selected speed is invalid.", "speed")
        requested: Speed = "normal" if speed == "normal" else "optimum"
        refund: Refund = {
            "id": new_id("rfnd"),
            "entity": "refund",
            "amount": amount,
            "currency": payment["currency"],
            "payment_id": payment["id"],
            "notes": validation.notes(given.get("notes")),
            "receipt": validation.receipt(given.get("receipt")),
            "acquirer_data": {"rrn": None},
            "created_at": self._now(),
            "batch_id": None,
            "status": "pending",
            "speed_requested": requested,
            "speed_processed": None,
        }
        if status == "processed":
            _complete(refund)
        return refund

    def _save(self, payment: Payment) -> None:
        """Keep a payment with the states that its refunded amount means."""
        refunded = payment["amount_refunded"]
        full = refunded == payment["amount"]
        payment["status"] = "refunded" if full else "captured"
        payment["refund_status"] = "full" if full else "partial" if refunded else None
        self._store.save(payment)

    def _pending(self, refund_id: str) -> Refund:
        refund = self.get(refund_id)
        if refund["status"] != "pending":
            raise NotAllowed("Only a refund that is pending can be processed or fail.")
        return refund

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _complete(refund: Refund) -> None:
    refund["status"] = "processed"
    refund["speed_processed"] = "instant" if refund["speed_requested"] == "optimum" else "normal"
    refund["acquirer_data"] = {"rrn": bank_reference(refund["id"])}
