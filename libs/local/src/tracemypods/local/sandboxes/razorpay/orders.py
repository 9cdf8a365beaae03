"""Orders: what is to be paid (api/orders)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from tracemypods.kit.clock import Clock
from tracemypods.local.sandboxes.razorpay import validation
from tracemypods.local.sandboxes.razorpay.entities import Order, Payment
from tracemypods.local.sandboxes.razorpay.errors import Invalid, MalformedId, UnknownId
from tracemypods.local.sandboxes.razorpay.ids import is_id, new_id
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.sandboxes.razorpay.store import Store

FIELDS = frozenset(
    {"amount", "currency", "receipt", "notes", "partial_payment", "payment_capture", "payment"}
)


class Orders:
    """The orders of the account."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    def create(self, given: Mapping[str, Any]) -> Order:
        """Make an order from what the API was sent. Raises Invalid.

        A receipt is taken once; the error about a second one names the order that has it.
        """
        receipt = validation.receipt(given.get("receipt"))
        amount = validation.order_amount(given.get("amount"), self._settings.max_amount)
        order: Order = {
            "id": new_id("order"),
            "entity": "order",
            "amount": amount,
            "amount_paid": 0,
            "amount_due": amount,
            "currency": validation.currency(given.get("currency")),
            "receipt": receipt,
            "offer_id": None,
            "status": "created",
            "attempts": 0,
            "notes": validation.notes(given.get("notes")),
            "created_at": int(self._clock().timestamp()),
        }
        if given.get("partial_payment"):
            raise Invalid("Partial payments are not enabled for this account.", "partial_payment")
        manual = self._captures_manually(given)
        with self._store.transaction():
            known = self._store.with_receipt(receipt) if receipt else None
            if known:
                raise Invalid(
                    "Order receipt should be unique.", "receipt", metadata={"order_id": known}
                )
            self._store.add("order", order, manual_capture=manual)
        return order

    def get(self, order_id: str) -> Order:
        """An order. Raises MalformedId or UnknownId."""
        if not is_id("order", order_id):
            raise MalformedId(order_id)
        found: Order | None = self._store.find("order", order_id)
        if found is None:
            raise UnknownId
        return found

    def page(self, page: validation.Page) -> list[Order]:
        """A part of the orders, newest first."""
        return self._store.page("order", page)

    def payments(self, order_id: str) -> list[Payment]:
        """All payments of an order, newest first. Raises MalformedId or UnknownId."""
        self.get(order_id)
        return self._store.children("payment", order_id)

    def _captures_manually(self, given: Mapping[str, Any]) -> bool:
        """Whether payments wait for a capture: by the order's own word, or the account's."""
        payment: object = given.get("payment")
        if isinstance(payment, dict):
            capture = cast("dict[str, object]", payment).get("capture")
            if capture not in ("automatic", "manual"):
                raise Invalid("The selected capture is invalid.", "payment.capture")
            return capture == "manual"
        if payment is not None:
            raise Invalid("The payment must be an array.", "payment")
        flag: object = given.get("payment_capture")
        if flag is None:
            return not self._settings.auto_capture
        if flag not in (0, 1, "0", "1", True, False):
            raise Invalid("The selected payment capture is invalid.", "payment_capture")
        return flag in (0, "0", False)
