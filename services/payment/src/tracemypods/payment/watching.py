"""Asks Razorpay about orders that no webhook may have told of, with gaps that grow.

A webhook may be lost, and a payment that failed may be confirmed by its bank for three days (late
authorisation). So each order is looked at two minutes after it was made, and again after twice as
long each time, until it is paid and says nothing new, or those days are over.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tracemypods.contracts.payments import PaymentStatus
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import NotFound
from tracemypods.kit.mongo import Document
from tracemypods.payment import leases
from tracemypods.payment.inbox import Inbox
from tracemypods.payment.leases import failures, milliseconds
from tracemypods.payment.metrics import PaymentMetrics
from tracemypods.payment.orders import Orders
from tracemypods.payment.razorpay.client import RazorpayClient
from tracemypods.payment.razorpay.entities import PaymentEntity
from tracemypods.payment.razorpay.errors import RazorpayError, RazorpayFailure

_log = logging.getLogger("tracemypods.payment.watching")

LONGEST_GAP_MILLISECONDS = 12 * 3600 * 1000

FAILED_SHOWN = 20
"""How many of an order's failed payments, the newest, are told; there may be thousands."""

_BELIEVED: tuple[PaymentStatus, ...] = ("captured", "refunded", "authorized", "failed", "created")
_PAID: tuple[PaymentStatus, ...] = ("captured", "refunded")


class OrderUnknown(NotFound):
    """No order was made at Razorpay under this receipt."""

    code = "order_unknown"


@dataclass(frozen=True)
class Looked:
    """What a look at an order found: its payments, and how many facts of them were news."""

    payments: int
    new_facts: int
    is_paid: bool


class Watching:
    """Looks at orders when they are due."""

    def __init__(
        self,
        orders: Orders,
        inbox: Inbox,
        razorpay: RazorpayClient,
        metrics: PaymentMetrics,
        clock: Clock,
        *,
        livemode: bool,
        first_look_seconds: float,
        watch_seconds: float,
        pause_seconds: float,
    ) -> None:
        """`pause_seconds` is how long to wait when Razorpay does not answer."""
        self._collection = orders.collection
        self._inbox = inbox
        self._razorpay = razorpay
        self._metrics = metrics
        self._clock = clock
        self._livemode = livemode
        self._first_gap = int(first_look_seconds * 1000)
        self._watched_for = int(watch_seconds * 1000)
        self._pause = int(pause_seconds * 1000)

    async def step(self) -> bool:
        """Look at one order; whether one was due. Raises Unavailable."""
        document = await leases.claim(self._collection, self._livemode, self._now())
        if document is None:
            return False
        try:
            looked = await self._look(document["razorpay_order_id"])
        except RazorpayFailure as error:
            self._metrics.razorpay_failures.labels("look").inc()
            _log.warning("order not looked at", extra={"reason": str(error)[:200]})
            if not (isinstance(error, RazorpayError) and error.refused):
                await self._look_again(document, self._now() + self._pause, -1)
                return True
            looked = Looked(payments=0, new_facts=0, is_paid=False)
        await self._plan(document, looked)
        return True

    async def look_now(self, receipt: str) -> Looked:
        """Look at an order at once, also one that is not watched any more.

        Raises OrderUnknown, and what a call to Razorpay raises.
        """
        with failures():
            found = await self._collection.find_one({"_id": receipt, "livemode": self._livemode})
        if found is None or found.get("razorpay_order_id") is None:
            raise OrderUnknown("No order was made at Razorpay under this receipt.")
        return await self._look(found["razorpay_order_id"])

    async def _look(self, order_id: str) -> Looked:
        payments = await self._razorpay.order_payments(order_id)
        new = 0
        for payment in worth_telling(payments):
            new += await self._inbox.offer(payment.fact(self._livemode), "order.payments")
        if new:
            self._metrics.found.labels("look").inc(new)
            _log.info("facts found", extra={"order": order_id, "new": new})
        is_paid = any(payment.status in _PAID for payment in payments)
        return Looked(payments=len(payments), new_facts=new, is_paid=is_paid)

    async def _plan(self, document: Document, looked: Looked) -> None:
        """When to look next: not at all at what is paid and quiet, or too old."""
        now = self._now()
        gap = self._first_gap * 2 ** min(document["attempts"], 40)
        gap = int(min(gap, LONGEST_GAP_MILLISECONDS) * random.uniform(0.9, 1))  # noqa: S311
        end = document["made_at"] + self._watched_for
        if (looked.is_paid and not looked.new_facts) or now >= end:
            with failures():
                await self._collection.update_one(
                    {"_id": document["_id"], "due_at": document["due_at"]},
                    {"$set": {"closed_at": now}, "$unset": {"due_at": ""}},
                )
            return
        await self._look_again(document, min(now + gap, end), 0)

    async def _look_again(self, document: Document, due_at: int, counted: int) -> None:
        with failures():
            await self._collection.update_one(
                {"_id": document["_id"], "due_at": document["due_at"]},
                {"$set": {"due_at": due_at}, "$inc": {"attempts": counted}},
            )

    def _now(self) -> int:
        return milliseconds(self._clock())


def worth_telling(payments: Sequence[PaymentEntity]) -> list[PaymentEntity]:
    """An order's payments, those with money first; of the failed ones only the newest."""
    newest_first = sorted(payments, key=lambda one: one.created_at, reverse=True)
    by_belief = sorted(newest_first, key=lambda one: _BELIEVED.index(one.status))
    with_money = [one for one in by_belief if one.status not in ("failed", "created")]
    failed = [one for one in by_belief if one.status == "failed"]
    return with_money + failed[:FAILED_SHOWN]
