"""Refunds: each asked of Razorpay under its own id until there is an answer, and done once.

    {_id: refund id, payment_id, amount, reason, livemode, created_at, state: "pending" |
     "accepted" | "refused", due_at, attempts, last_error, fact, code, description, field}

What is wanted is stored before Razorpay is called, and the refund's id is Razorpay's idempotency
key, so that asking again is harmless. `due_at` is explained in leases.py.
"""

from __future__ import annotations

import logging

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.payments import PaymentFact, RefundFact, RefundIn
from tracemypods.kit.clock import Clock
from tracemypods.kit.mongo import Document
from tracemypods.payment import leases
from tracemypods.payment.inbox import Inbox
from tracemypods.payment.leases import (
    failures,
    milliseconds,
    pause_milliseconds,
)
from tracemypods.payment.metrics import PaymentMetrics
from tracemypods.payment.problems import RazorpayRefused, RefundDiffers
from tracemypods.payment.razorpay.client import RazorpayClient
from tracemypods.payment.razorpay.entities import RefundEntity
from tracemypods.payment.razorpay.errors import RazorpayError, RazorpayFailure

_log = logging.getLogger("tracemypods.payment.refunds")

COLLECTION = "payment_refunds"

FIRST_LEASE_MILLISECONDS = 15_000
"""Longer than one call and writing down its answer take."""

UNKNOWN_CURRENCY = "XXX"
"""ISO 4217's code for no currency: what is said of a payment that nobody has told us of."""


class Refunds:
    """The refunds in MongoDB and at Razorpay.

    Every method raises Unavailable `payment_store_unavailable`.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        inbox: Inbox,
        razorpay: RazorpayClient,
        metrics: PaymentMetrics,
        clock: Clock,
        *,
        livemode: bool,
        longest_pause: float,
    ) -> None:
        """`longest_pause` is in seconds, between two attempts at one refund."""
        self._collection: AsyncCollection[Document] = database[COLLECTION]
        self._inbox = inbox
        self._razorpay = razorpay
        self._metrics = metrics
        self._clock = clock
        self._livemode = livemode
        self._longest_pause = longest_pause

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        await leases.create_index(self._collection)

    async def refund(self, wanted: RefundIn) -> RefundFact:
        """Have money given back, or tell what became of it.

        A refund that Razorpay has not answered yet is `pending`, and is asked for until it has;
        order then gets it as a fact. Raises RefundDiffers and RazorpayRefused.
        """
        now = self._now()
        fields: Document = {
            "payment_id": wanted.payment_id,
            "amount": wanted.amount,
            "livemode": self._livemode,
        }
        document: Document = {
            "_id": wanted.refund_id,
            **fields,
            "reason": wanted.reason,
            "state": "pending",
            "created_at": now,
            "due_at": now + FIRST_LEASE_MILLISECONDS,
            "attempts": 1,
        }
        try:
            with failures():
                await self._collection.insert_one(document)
        except DuplicateKeyError:
            with failures():
                document = await self._collection.find_one({"_id": wanted.refund_id}) or document
            if any(document[name] != value for name, value in fields.items()):
                raise RefundDiffers(
                    f"The refund {wanted.refund_id} is of another payment, amount or mode."
                ) from None
        else:
            document = await self._ask(document)
        if document["state"] == "refused":
            raise RazorpayRefused(document["code"], document["description"], document.get("field"))
        payment = await self._inbox.payment(wanted.payment_id)
        return _fact(document, payment)

    async def step(self) -> bool:
        """Ask for one refund again; whether one was due."""
        document = await leases.claim(self._collection, self._livemode, self._now())
        if document is None:
            return False
        if document["state"] == "pending":
            document = await self._ask(document)
        if document["state"] != "pending":
            await self._tell(document)
        return True

    async def _ask(self, document: Document) -> Document:
        """Ask Razorpay, and note what it says; the document as it is then."""
        try:
            refund = await self._razorpay.refund(
                document["payment_id"], document["amount"], document["_id"], document["reason"]
            )
        except RazorpayFailure as error:
            return await self._failed(document, error)
        return await self._accepted(document, refund)

    async def _failed(self, document: Document, error: RazorpayFailure) -> Document:
        if isinstance(error, RazorpayError) and error.refused:
            try:
                made = await self._made_before(document)
            except RazorpayFailure as again:
                return await self._later(document, again)
            if made is not None:
                return await self._accepted(document, made)
            _log.warning("refund refused", extra={"refund": document["_id"], "code": error.code})
            return await self._note(
                document,
                {
                    "state": "refused",
                    "code": error.code[:200],
                    "description": error.description[:500],
                    "field": error.field,
                },
            )
        return await self._later(document, error)

    async def _later(self, document: Document, error: RazorpayFailure) -> Document:
        self._metrics.razorpay_failures.labels("refund").inc()
        _log.warning(
            "refund not answered", extra={"refund": document["_id"], "reason": str(error)[:200]}
        )
        pause = pause_milliseconds(document["attempts"], self._longest_pause)
        return await self._note(
            document, {"last_error": str(error)[:500], "due_at": self._now() + pause}
        )

    async def _made_before(self, document: Document) -> RefundEntity | None:
        """The refund, if an attempt whose answer was lost made it and its key is forgotten."""
        if document["attempts"] == 1:
            return None
        refunds = await self._razorpay.payment_refunds(document["payment_id"])
        return next((one for one in refunds if one.receipt == document["_id"]), None)

    async def _accepted(self, document: Document, refund: RefundEntity) -> Document:
        fact = refund.fact(self._livemode, None).model_copy(update={"receipt": document["_id"]})
        return await self._note(document, {"state": "accepted", "fact": fact.model_dump()})

    async def _note(self, document: Document, fields: Document) -> Document:
        """Write down what became of it, and return the document with that.

        At the first attempt the caller hears the end; later ones are still to be told to order.
        """
        changed = {**document, **fields}
        if changed["state"] != "pending" and document["attempts"] == 1:
            del changed["due_at"]
            update: Document = {"$set": fields, "$unset": {"due_at": ""}}
        else:
            update = {"$set": fields}
        with failures():
            await self._collection.update_one(
                {"_id": document["_id"], "due_at": document["due_at"]}, update
            )
        return changed

    async def _tell(self, document: Document) -> None:
        """Give the end of a refund to the inbox, from where it goes to order."""
        payment = await self._inbox.payment(document["payment_id"])
        if payment is None:
            try:
                found = await self._razorpay.payment(document["payment_id"])
                payment = found.fact(self._livemode)
            except RazorpayFailure as error:
                _log.info("payment not known", extra={"reason": str(error)[:200]})
        await self._inbox.offer(_fact(document, payment), f"refund.{document['state']}")
        with failures():
            await self._collection.update_one(
                {"_id": document["_id"], "due_at": document["due_at"]}, {"$unset": {"due_at": ""}}
            )

    def _now(self) -> int:
        return milliseconds(self._clock())


def _fact(document: Document, payment: PaymentFact | None) -> RefundFact:
    """A refund as a fact. One that Razorpay has not named goes by our own id."""
    order_id = None if payment is None else payment.razorpay_order_id
    if document["state"] == "accepted":
        fact = RefundFact.model_validate(document["fact"])
        return fact.model_copy(update={"razorpay_order_id": order_id})
    return RefundFact(
        id=document["_id"].replace("-", "_"),
        payment_id=document["payment_id"],
        razorpay_order_id=order_id,
        status="pending" if document["state"] == "pending" else "failed",
        amount=document["amount"],
        currency=UNKNOWN_CURRENCY if payment is None else payment.currency,
        receipt=document["_id"],
        created_at=document["created_at"] // 1000,
        livemode=document["livemode"],
    )
