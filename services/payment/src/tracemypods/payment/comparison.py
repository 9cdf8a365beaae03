"""Once a day, everything that Razorpay has of many days is compared with what the inbox has had.

That finds what no webhook told and no order is watched for any more, and what was done on
Razorpay's own dashboard: refunds, disputes, payments without an order of ours. Payments that failed
or were only begun move no money, and are left out.

    {_id: "test" | "live", livemode, due_at, attempts, started_at, finished_at, payments, refunds,
     disputes, new_facts}

One replica does it, the one that has the lease (see leases.py), which it renews with every page.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.payments import Fact
from tracemypods.kit.clock import Clock
from tracemypods.kit.mongo import Document
from tracemypods.payment import leases
from tracemypods.payment.inbox import DAY_MILLISECONDS, Inbox
from tracemypods.payment.leases import LeaseLost, failures, milliseconds
from tracemypods.payment.metrics import PaymentMetrics
from tracemypods.payment.razorpay.client import RazorpayClient
from tracemypods.payment.razorpay.entities import DisputeEntity, PaymentEntity, RefundEntity
from tracemypods.payment.razorpay.errors import RazorpayError, RazorpayFailure

_log = logging.getLogger("tracemypods.payment.comparison")

COLLECTION = "payment_comparisons"

WINDOW_SECONDS = 7 * 86400
"""How much is asked for at a time, so that pages stay few and near the front of their list."""
FIRST_AFTER_MILLISECONDS = 60_000
"""When the first one runs, after the service was first started."""
AGAIN_MILLISECONDS = 300_000
"""When one is tried again that Razorpay broke off."""

Page = Sequence[PaymentEntity | RefundEntity | DisputeEntity]


class Comparison:
    """The comparison of one account. Every method raises Unavailable."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        inbox: Inbox,
        razorpay: RazorpayClient,
        metrics: PaymentMetrics,
        clock: Clock,
        *,
        livemode: bool,
        every_seconds: float,
        days: int,
    ) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]
        self._inbox = inbox
        self._razorpay = razorpay
        self._metrics = metrics
        self._clock = clock
        self._id = "live" if livemode else "test"
        self._livemode = livemode
        self._every = int(every_seconds * 1000)
        self._days = days
        self.announced = asyncio.Event()
        """Set when one is due out of turn."""

    async def start(self) -> None:
        """Make the record of the comparisons, where there is none yet."""
        await leases.create_index(self._collection)
        first: Document = {
            "_id": self._id,
            "livemode": self._livemode,
            "due_at": self._now() + FIRST_AFTER_MILLISECONDS,
            "attempts": 0,
        }
        try:
            with failures():
                await self._collection.insert_one(first)
        except DuplicateKeyError:
            pass

    async def last(self) -> Document:
        """The record: when the last comparison ran, and what it found. Empty before the start."""
        with failures():
            return await self._collection.find_one({"_id": self._id}) or {}

    async def hurry(self) -> None:
        """Have a comparison run now, unless one does."""
        now = self._now()
        with failures():
            found = await self._collection.find_one({"_id": self._id})
            if found is not None and not _runs(found, now):
                await self._collection.update_one(
                    {"_id": self._id, "due_at": found["due_at"]}, {"$set": {"due_at": now}}
                )
        self.announced.set()

    async def step(self) -> bool:
        """Compare everything, if that is due; whether it was."""
        document = await leases.claim(self._collection, self._livemode, self._now())
        if document is None:
            return False
        started_at = self._now()
        run = _Run(self._collection, document, self._clock)
        try:
            await run.note({"started_at": started_at, "running": True})
            counts = await self._compare(run, started_at)
            ended = {"finished_at": self._now(), "due_at": started_at + self._every}
            await run.note({**counts, **ended, "running": False})
        except RazorpayFailure as error:
            self._metrics.razorpay_failures.labels("comparison").inc()
            _log.warning("comparison broken off", extra={"reason": str(error)[:200]})
            await run.note({"due_at": self._now() + AGAIN_MILLISECONDS, "running": False})
            return True
        except LeaseLost:
            _log.warning("comparison taken over by another replica")
            return True
        _log.info("comparison done", extra=dict(counts))
        return True

    async def _compare(self, run: _Run, started_at: int) -> dict[str, int]:
        """Ask for everything, the oldest first; how much of each kind there was, and was new."""
        counts = {"payments": 0, "refunds": 0, "disputes": 0, "new_facts": 0}
        until = started_at // 1000
        since = until - self._days * DAY_MILLISECONDS // 1000
        while since <= until:
            await run.renew()
            last = min(since + WINDOW_SECONDS - 1, until)
            lists: dict[str, AsyncGenerator[Page]] = {
                "payments": self._razorpay.payments(since, last),
                "refunds": self._razorpay.refunds(since, last),
                "disputes": self._razorpay.disputes(since, last),
            }
            for kind, pages in lists.items():
                async with aclosing(pages):
                    async for page in pages:
                        await run.renew()
                        counts[kind] += len(page)
                        counts["new_facts"] += await self._offer(kind, page)
            since = last + 1
        return counts

    async def _offer(self, kind: str, page: Page) -> int:
        found: Counter[bool] = Counter()
        for entity in page:
            if isinstance(entity, PaymentEntity):
                if entity.status in ("failed", "created"):
                    continue
                fact: Fact = entity.fact(self._livemode)
            else:
                fact = entity.fact(self._livemode, None)
                if not await self._inbox.knows(fact):
                    fact = entity.fact(self._livemode, await self._order_of(entity.payment_id))
            found[await self._inbox.offer(fact, f"comparison.{kind}")] += 1
        self._metrics.found.labels("comparison").inc(found[True])
        return found[True]

    async def _order_of(self, payment_id: str) -> str | None:
        """The order that a payment is of, if it can be said."""
        try:
            return (await self._razorpay.payment(payment_id)).order_id
        except RazorpayError as error:
            if not error.unknown_id:
                raise
            return None

    def _now(self) -> int:
        return milliseconds(self._clock())


class _Run:
    """The lease of a comparison that runs."""

    def __init__(
        self, collection: AsyncCollection[Document], document: Document, clock: Clock
    ) -> None:
        self._collection = collection
        self._id = document["_id"]
        self._due_at = document["due_at"]
        self._clock = clock

    async def renew(self) -> None:
        """Keep the lease. Raises LeaseLost."""
        await self.note({"due_at": milliseconds(self._clock()) + leases.LEASE_MILLISECONDS})

    async def note(self, fields: Document) -> None:
        """Write something down, as long as the lease is ours. Raises LeaseLost."""
        with failures():
            done = await self._collection.update_one(
                {"_id": self._id, "due_at": self._due_at}, {"$set": fields}
            )
        if not done.matched_count:
            raise LeaseLost
        self._due_at = fields.get("due_at", self._due_at)


def _runs(document: Document, now: int) -> bool:
    """Whether a comparison runs now: one says so, and its lease has not ended."""
    return bool(document.get("running")) and document["due_at"] > now
