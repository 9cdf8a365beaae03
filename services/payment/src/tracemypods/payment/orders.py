"""Orders at Razorpay: made once for each receipt, and watched until they are paid or too old.

    {_id: receipt, amount, currency, livemode, created_at, making_until, attempts_to_make,
     razorpay_order_id, made_at, due_at, attempts, closed_at}

What is wanted is stored before Razorpay is called. `making_until` is the lease of whoever calls it.
`due_at` (see leases.py) is when Razorpay is next asked about the order's payments, `attempts` how
often that was done.
"""

from __future__ import annotations

import asyncio
import logging

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.payments import Created, CreateIn
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.mongo import Document
from tracemypods.payment import leases
from tracemypods.payment.leases import LeaseLost, failures, milliseconds
from tracemypods.payment.problems import ReceiptDiffers, problem_of
from tracemypods.payment.razorpay.client import RazorpayClient
from tracemypods.payment.razorpay.entities import OrderEntity
from tracemypods.payment.razorpay.errors import RazorpayAway, RazorpayError, RazorpayFailure

_log = logging.getLogger("tracemypods.payment.orders")

COLLECTION = "payment_orders"

MAKING_MILLISECONDS = 13_000
"""The lease is renewed before each call, and longer than one."""
WAIT_SECONDS = 15.0
"""How long a caller waits for somebody else who makes the same order."""
LOOK_SECONDS = 0.05


class Orders:
    """The orders in MongoDB and at Razorpay.

    Every method raises Unavailable `payment_store_unavailable`.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        razorpay: RazorpayClient,
        clock: Clock,
        *,
        key_id: str,
        livemode: bool,
        first_look_seconds: float,
    ) -> None:
        self.collection: AsyncCollection[Document] = database[COLLECTION]
        self._razorpay = razorpay
        self._clock = clock
        self._key_id = key_id
        self._livemode = livemode
        self._first_look = int(first_look_seconds * 1000)

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        await leases.create_index(self.collection)

    async def create(self, wanted: CreateIn) -> Created:
        """Make an order at Razorpay, or give the one that has this receipt.

        However many ask at once, and whatever was lost on the way, there is one order. Raises
        ReceiptDiffers, RazorpayRefused, RazorpayUnavailable, or Unavailable `order_in_progress`
        when somebody else is making it for too long.
        """
        give_up = asyncio.get_running_loop().time() + WAIT_SECONDS
        while (order_id := await self._make_or_get(wanted)) is None:
            if asyncio.get_running_loop().time() > give_up:
                raise Unavailable("This order is being made.", code="order_in_progress")
            await asyncio.sleep(LOOK_SECONDS)
        return Created(
            razorpay_order_id=order_id,
            amount=wanted.amount,
            currency=wanted.currency,
            key_id=self._key_id,
            livemode=self._livemode,
        )

    async def _make_or_get(self, wanted: CreateIn) -> str | None:
        """The order's id at Razorpay; None while somebody else makes it."""
        document = await self._take(wanted)
        if document is None:
            return None
        return document.get("razorpay_order_id") or await self._make(wanted, document)

    async def _take(self, wanted: CreateIn) -> Document | None:
        """The order's document, which is ours to make if it is not made; None if somebody's else.

        Raises ReceiptDiffers.
        """
        now = self._now()
        fields: Document = {
            "amount": wanted.amount,
            "currency": wanted.currency,
            "livemode": self._livemode,
        }
        document: Document = {
            "_id": wanted.receipt,
            **fields,
            "created_at": now,
            "making_until": now + MAKING_MILLISECONDS,
            "attempts_to_make": 1,
            "attempts": 0,
        }
        with failures():
            found = await self.collection.find_one({"_id": wanted.receipt})
        if found is None:
            try:
                with failures():
                    await self.collection.insert_one(document)
                return document
            except DuplicateKeyError:
                return None
        if any(found[name] != value for name, value in fields.items()):
            raise ReceiptDiffers(
                f"The receipt {wanted.receipt} was used for another amount, currency or mode."
            )
        if found.get("razorpay_order_id") is not None:
            return found
        if found["making_until"] > now:
            return None
        with failures():
            return await self.collection.find_one_and_update(
                {"_id": wanted.receipt, "making_until": found["making_until"]},
                {
                    "$set": {"making_until": now + MAKING_MILLISECONDS},
                    "$inc": {"attempts_to_make": 1},
                },
                return_document=ReturnDocument.AFTER,
            )

    async def _make(self, wanted: CreateIn, document: Document) -> str | None:
        try:
            order = await self._make_or_find(wanted, document)
            if (order.amount, order.currency) != (wanted.amount, wanted.currency):
                raise ReceiptDiffers(
                    f"Razorpay has the receipt {wanted.receipt} for another amount or currency."
                )
        except LeaseLost:
            return None
        except (RazorpayFailure, ReceiptDiffers) as error:
            await self._let_go(document)
            if isinstance(error, RazorpayFailure):
                _log.warning("order not made", extra={"reason": str(error)[:200]})
                raise problem_of(error) from None
            raise
        now = self._now()
        with failures():
            noted = await self.collection.update_one(
                {"_id": wanted.receipt, "making_until": document["making_until"]},
                {
                    "$set": {
                        "razorpay_order_id": order.id,
                        "made_at": now,
                        "due_at": now + self._first_look,
                    }
                },
            )
        return order.id if noted.matched_count else None  # somebody else's may be another one

    async def _make_or_find(self, wanted: CreateIn, document: Document) -> OrderEntity:
        """Razorpay's order. Somebody whose answer was lost may have made it already."""
        if document["attempts_to_make"] > 1:
            found = await self._razorpay.find_order(wanted.receipt)
            if found is not None:
                return found
            await self._renew(document)
        try:
            return await self._razorpay.create_order(
                wanted.receipt, wanted.amount, wanted.currency, wanted.notes
            )
        except RazorpayFailure as error:
            late = isinstance(error, RazorpayAway) and error.late
            taken = isinstance(error, RazorpayError) and error.receipt_taken
            if late or not (error.may_have_been_done or taken):
                raise
            await self._renew(document)
            found = await self._razorpay.find_order(wanted.receipt)
            if found is None:
                raise
            return found

    async def _renew(self, document: Document) -> None:
        """Keep the lease, in `document` too. Raises LeaseLost."""
        until = self._now() + MAKING_MILLISECONDS
        with failures():
            renewed = await self.collection.update_one(
                {"_id": document["_id"], "making_until": document["making_until"]},
                {"$set": {"making_until": until}},
            )
        if not renewed.matched_count:
            raise LeaseLost
        document["making_until"] = until

    async def _let_go(self, document: Document) -> None:
        """Let the next caller try at once."""
        try:
            with failures():
                await self.collection.update_one(
                    {"_id": document["_id"], "making_until": document["making_until"]},
                    {"$set": {"making_until": 0}},
                )
        except Unavailable:
            _log.warning("lease not given back")  # it ends by itself

    def _now(self) -> int:
        return milliseconds(self._clock())
