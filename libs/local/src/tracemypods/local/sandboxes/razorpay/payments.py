"""Payments: attempts to pay an order, and what becomes of them (api/payments).

created → authorized → captured → refunded, or created → failed; and failed → authorized when the
bank answers late (payments/late-authorisation). Everything here is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tracemypods.kit.clock import Clock
from tracemypods.local.sandboxes.razorpay import validation
from tracemypods.local.sandboxes.razorpay.books import Books
from tracemypods.local.sandboxes.razorpay.entities import Notes, Order, Payment
from tracemypods.local.sandboxes.razorpay.errors import (
    BAD_REQUEST,
    Invalid,
    MalformedId,
    NotAllowed,
    UnknownId,
)
from tracemypods.local.sandboxes.razorpay.events import Event, event
from tracemypods.local.sandboxes.razorpay.faults import PayFault
from tracemypods.local.sandboxes.razorpay.ids import is_id, new_id
from tracemypods.local.sandboxes.razorpay.orders import Orders
from tracemypods.local.sandboxes.razorpay.store import Store
from tracemypods.local.sandboxes.razorpay.validation import MINIMUM_PAISE
from tracemypods.local.sandboxes.razorpay.webhooks import NO_FAULTS, Webhooks

CAPTURE_FIELDS = frozenset({"amount", "currency"})

ALREADY_PAID = (
    "Your payment has been declined as the order is already paid. "
    "Please initiate the payment with a new order."
)
WRONG_BY_PAISE = 100

FAILURE = {
    "code": BAD_REQUEST,
    "description": "Payment failed",
    "source": "bank",
    "step": "payment_authorization",
    "reason": "payment_failed",
}
"""As in the sample of payment.failed (webhooks/payments)."""


@dataclass(frozen=True)
class Payer:
    """What the checkout knows about who pays."""

    email: str | None = None
    contact: str | None = None
    description: str | None = None
    notes: Notes = field(default_factory=list[str])


class Payments:
    """The payments of the account."""

    def __init__(
        self, store: Store, clock: Clock, orders: Orders, webhooks: Webhooks, books: Books
    ) -> None:
        self._store = store
        self._clock = clock
        self._orders = orders
        self._webhooks = webhooks
        self._books = books

    def get(self, payment_id: str) -> Payment:
        """A payment. Raises MalformedId or UnknownId."""
        if not is_id("pay", payment_id):
            raise MalformedId(payment_id)
        found: Payment | None = self._store.find("payment", payment_id)
        if found is None:
            raise UnknownId
        return found

    def page(self, page: validation.Page) -> list[Payment]:
        """A part of the payments, newest first."""
        return self._store.page("payment", page)

    def attempt(
        self,
        order_id: str,
        payer: Payer,
        *,
        succeed: bool,
        faults: Collection[PayFault] = NO_FAULTS,
    ) -> Payment:
        """Try to pay an order. Raises UnknownId, and NotAllowed when the order takes no payment.

        An order that is paid, or has a payment which waits to be captured, takes none, unless the
        fault of a double payment is asked for.
        """
        with self._store.transaction():
            order = self._orders.get(order_id)
            if PayFault.DOUBLE_PAYMENT not in faults:
                waiting = any(
                    one["status"] == "authorized" for one in self._orders.payments(order_id)
                )
                if waiting or order["status"] == "paid":
                    raise NotAllowed(
                        ALREADY_PAID, reason="order_already_paid", metadata={"order_id": order_id}
                    )
            payment = self._new(order, payer, succeed=succeed, faults=faults)
            order["attempts"] += 1
            if order["status"] == "created":
                order["status"] = "attempted"
            self._store.add("payment", payment, parent=order_id)
            events = self._succeed(order, payment) if succeed else [self._fail(payment)]
            self._store.save(order)
            self._store.save(payment)
            self._webhooks.announce(events, faults)
        return payment

    def authorise_late(self, payment_id: str, faults: Collection[PayFault] = NO_FAULTS) -> Payment:
        """Let the bank say yes after all, also when the order was paid otherwise meanwhile.

        Raises NotAllowed for a payment that has not failed.
        """
        with self._store.transaction():
            payment = self.get(payment_id)
            if payment["status"] != "failed":
                raise NotAllowed("Only a payment that has failed can be authorised late.")
            order = self._orders.get(payment["order_id"])
            events = self._succeed(order, payment)
            self._store.save(order)
            self._store.save(payment)
            self._webhooks.announce(events, faults)
        return payment

    def capture(self, payment_id: str, given: Mapping[str, Any]) -> Payment:
        """Take the money of a payment that is authorised (api/payments/capture).

        Raises Invalid, UnknownId, and NotAllowed for a payment that is not authorised.
        """
        with self._store.transaction():
            payment = self.get(payment_id)
            if given.get("amount") is None:
                raise Invalid("amount: is required.", "amount")
            amount = validation.integer(given["amount"], "amount")
            currency = validation.currency(given.get("currency"))
            if payment["captured"]:
                raise NotAllowed("This payment has already been captured")
            if payment["status"] != "authorized":
                raise NotAllowed(
                    "Only payments which have been authorized and not yet captured can be captured"
                )
            if (amount, currency) != (payment["amount"], payment["currency"]):
                raise Invalid("Capture amount must be equal to the amount authorized", "amount")
            order = self._orders.get(payment["order_id"])
            events = self._capture(order, payment)
            self._store.save(order)
            self._store.save(payment)
            self._webhooks.announce(events)
        return payment

    def _new(
        self, order: Order, payer: Payer, *, succeed: bool, faults: Collection[PayFault]
    ) -> Payment:
        amount = order["amount"]
        if PayFault.WRONG_AMOUNT in faults:
            enough = amount - WRONG_BY_PAISE >= MINIMUM_PAISE
            amount += -WRONG_BY_PAISE if enough else WRONG_BY_PAISE
        # The addresses with which Razorpay's own test mode succeeds and fails.
        address = "success@razorpay" if succeed else "failure@razorpay"
        return {
            "id": new_id("pay"),
            "entity": "payment",
            "amount": amount,
            "currency": order["currency"],
            "status": "created",
            "order_id": order["id"],
            "invoice_id": None,
            "international": False,
            "method": "upi",
            "amount_refunded": 0,
            "refund_status": None,
            "captured": False,
            "description": payer.description,
            "card_id": None,
            "bank": None,
            "wallet": None,
            "vpa": address,
            "email": payer.email,
            "contact": payer.contact,
            "notes": payer.notes,
            "fee": None,
            "tax": None,
            "error_code": None,
            "error_description": None,
            "error_source": None,
            "error_step": None,
            "error_reason": None,
            "acquirer_data": {"rrn": None},
            "created_at": self._now(),
            "upi": {"payer_account_type": "bank_account", "vpa": address, "flow": "intent"},
        }

    def _fail(self, payment: Payment) -> Event:
        payment["status"] = "failed"
        payment["error_code"] = FAILURE["code"]
        payment["error_description"] = FAILURE["description"]
        payment["error_source"] = FAILURE["source"]
        payment["error_step"] = FAILURE["step"]
        payment["error_reason"] = FAILURE["reason"]
        return event("payment.failed", self._now(), payment)

    def _succeed(self, order: Order, payment: Payment) -> list[Event]:
        """Authorise a payment, and capture it unless its order says to wait."""
        payment["status"] = "authorized"
        payment["error_code"] = payment["error_description"] = payment["error_source"] = None
        payment["error_step"] = payment["error_reason"] = None
        payment["acquirer_data"] = {"rrn": bank_reference(payment["id"])}
        events = [event("payment.authorized", self._now(), payment)]
        if not self._store.captures_manually(order["id"]):
            events += self._capture(order, payment)
        return events

    def _capture(self, order: Order, payment: Payment) -> list[Event]:
        """Take the money. Two per cent are kept as a fee, and 18 per cent of that as its tax."""
        amount = payment["amount"]
        payment["status"] = "captured"
        payment["captured"] = True
        fee = amount * 2 // 100
        payment["tax"] = fee * 18 // 100
        payment["fee"] = fee + payment["tax"]
        self._books.note(payment["id"], "capture", amount)
        first = order["status"] != "paid"
        order["status"] = "paid"
        order["amount_paid"] += amount
        order["amount_due"] = max(0, order["amount"] - order["amount_paid"])
        now = self._now()
        events = [event("payment.captured", now, payment)]
        if first:
            events.append(event("order.paid", now, payment, order=order))
        return events

    def _now(self) -> int:
        return int(self._clock().timestamp())


def bank_reference(identifier: str) -> str:
    """A bank's twelve digits for a payment or refund; the same ones each time."""
    return str(int.from_bytes(identifier.encode(), "big") % 10**12).zfill(12)
