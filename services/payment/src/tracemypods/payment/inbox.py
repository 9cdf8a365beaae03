"""The inbox: every fact that came in, from wherever, until order has taken it.

    {_id: key, entry_id, source, event, event_id, livemode, state: "pending" | "done" | "unmatched"
     | "unreadable", fact, raw, received_at, deliveries, due_at, attempts, last_error, outcome,
     order_id, handled_at, expires_at}

The key is made of what the fact says (of the body where there is none), so that neither a second
delivery nor a replay under a new event id is anything new. `due_at` and the times are explained in
leases.py. What is done goes after some days; a TTL index would want a date, which an update cannot
set everywhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.payments import Fact, FactOut, PaymentFact, Source
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import NotFound, Problem
from tracemypods.kit.ids import new_id
from tracemypods.kit.mongo import Document
from tracemypods.payment import leases
from tracemypods.payment.events import (
    UnreadableEvent,
    body_key,
    fact_key,
    fact_key_prefix,
    read_event,
)
from tracemypods.payment.leases import failures, milliseconds

COLLECTION = "payment_inbox"

State = Literal["pending", "done", "unmatched", "unreadable"]

DAY_MILLISECONDS = 24 * 3600 * 1000
AGAIN_MILLISECONDS = 3600 * 1000
"""How long order's "there is no such order here" is believed."""

_facts: TypeAdapter[Fact] = TypeAdapter(Fact)


class EntryUnknown(NotFound):
    """There is no such entry, or it was handled and is gone."""

    code = "entry_unknown"


class OtherMode(Problem):
    """What is asked for belongs to the other `livemode`."""

    status, code = 409, "other_mode"


@dataclass(frozen=True)
class Claimed:
    """An entry that is ours to hand over, until its lease ends."""

    key: str
    due_at: int
    attempts: int
    source: Source
    livemode: bool
    fact: Fact | None
    raw: bytes | None


@dataclass(frozen=True)
class Kept:
    """What became of a webhook: its entry's state, None when it was here already.

    `claimed` is there when it is the caller's to hand over.
    """

    state: State | None
    claimed: Claimed | None = None

    @property
    def is_new(self) -> bool:
        """Whether it was not here before."""
        return self.state is not None


class Inbox:
    """The entries in MongoDB. Every method raises Unavailable `payment_store_unavailable`."""

    def __init__(
        self, database: AsyncDatabase[Document], clock: Clock, *, livemode: bool, keep_days: int
    ) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]
        self._clock = clock
        self._livemode = livemode
        self._keep = keep_days * DAY_MILLISECONDS
        self.arrived = asyncio.Event()
        """Set when there is something to hand over."""

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        await leases.create_index(self._collection)
        with failures():
            await self._collection.create_index("entry_id", unique=True)
            await self._collection.create_index([("state", 1), ("entry_id", 1)])
            await self._collection.create_index("expires_at", sparse=True)

    async def keep(self, body: bytes, event_id: str | None, lease: int = 0) -> Kept:
        """Store a webhook whose signature holds; when this returns, a majority of servers has it.

        With a `lease` (milliseconds) its fact, if it is new, is the caller's to hand over at once.
        """
        fields: Document = {"source": "webhook", "event_id": event_id, "raw": body}
        try:
            read = read_event(body, self._livemode)
        except UnreadableEvent as error:
            fields |= {"event": None, "state": "unreadable", "last_error": str(error)}
            return await self._insert(body_key(body), fields)
        fields["event"] = read.name
        if read.fact is None:
            fields |= self._done()
            return await self._insert(body_key(body), fields)
        return await self._insert(fact_key(read.fact), fields | self._pending(read.fact, lease))

    async def offer(self, fact: Fact, event: str) -> bool:
        """Store what Razorpay said when it was asked; whether that was news.

        What order knew nothing of gets another chance when it was handed over long ago.
        """
        key = fact_key(fact)
        with failures():
            found = await self._collection.find_one(
                {"_id": key}, projection={"state": 1, "handled_at": 1}
            )
        if found is None:
            fields: Document = {"source": "reconciler", "event": event}
            return (await self._insert(key, fields | self._pending(fact))).is_new
        long_ago = self._now() - AGAIN_MILLISECONDS
        if found["state"] == "unmatched" and found["handled_at"] < long_ago:
            await self._make_due({"_id": key, "state": "unmatched"})
        return False

    async def knows(self, fact: Fact) -> bool:
        """Whether such a fact is here already."""
        with failures():
            return await self._collection.find_one({"_id": fact_key(fact)}, {"_id": 1}) is not None

    async def payment(self, payment_id: str) -> PaymentFact | None:
        """A payment as some entry has it, for what does not change in its life."""
        begin = fact_key_prefix("payment", payment_id, self._livemode)
        with failures():
            found = await self._collection.find_one(
                {"_id": {"$gte": begin, "$lt": begin[:-1] + ";"}}, projection={"fact": 1}
            )
        return None if found is None else PaymentFact.model_validate(found["fact"])

    async def claim(self, most: int, lease: int) -> list[Claimed]:
        """Take entries that are to be handed over, at most `most`, for `lease` milliseconds."""
        found = await leases.claim_some(
            self._collection, self._livemode, self._now(), lease=lease, most=most
        )
        return [_claimed(one) for one in found]

    async def accepted(self, entry: Claimed, out: FactOut) -> None:
        """Order took it, or knows no such order."""
        unmatched = out.outcome == "unmatched"
        fields = {"outcome": out.outcome, "order_id": out.order_id, "last_error": None}
        ended = {"state": "unmatched", "handled_at": self._now()} if unmatched else self._done()
        await self._end(entry, fields | ended)

    async def without_fact(self, entry: Claimed) -> None:
        """It holds nothing for order after all."""
        await self._end(entry, {"last_error": None} | self._done())

    async def unreadable(self, entry: Claimed, reason: str) -> None:
        """It cannot be read, still."""
        await self._end(entry, {"state": "unreadable", "last_error": reason})

    async def failed(self, entry: Claimed, reason: str, pause: int) -> None:
        """Order did not take it now: it is due again after `pause` milliseconds."""
        due_at = self._now() + pause
        with failures():
            await self._collection.update_one(
                {"_id": entry.key, "due_at": entry.due_at},
                {"$set": {"last_error": reason, "due_at": due_at}},
            )

    async def expire(self) -> int:
        """Delete what was done long enough ago; returns how many entries that were."""
        with failures():
            done = await self._collection.delete_many({"expires_at": {"$lt": self._now()}})
        return done.deleted_count

    async def oldest_pending_seconds(self) -> float:
        """How long the oldest fact has waited that order has not taken; 0 when none waits."""
        with failures():
            found = (
                await self._collection.find(
                    {"state": "pending", "livemode": self._livemode}, projection={"received_at": 1}
                )
                .sort("entry_id", 1)
                .limit(1)
                .to_list()
            )
        return (self._now() - found[0]["received_at"]) / 1000 if found else 0.0

    async def page(self, state: State | None, cursor: str | None, limit: int) -> list[Document]:
        """Entries, the newest first, from before the entry `cursor`; without their bodies."""
        wanted: Document = {}
        if state is not None:
            wanted["state"] = state
        if cursor is not None:
            wanted["entry_id"] = {"$lt": cursor}
        with failures():
            found = self._collection.find(wanted, projection={"raw": 0})
            return await found.sort("entry_id", -1).limit(limit).to_list()

    async def get(self, entry_id: str) -> Document:
        """One entry with its body. Raises EntryUnknown."""
        with failures():
            found = await self._collection.find_one({"entry_id": entry_id})
        if found is None:
            raise EntryUnknown("There is no entry with this id, or it was handled and is gone.")
        return found

    async def retry(self, entry_id: str) -> Document:
        """Have an entry handed over again, whatever has become of it.

        Raises EntryUnknown, and OtherMode for what belongs to the other `livemode`.
        """
        found = await self.get(entry_id)
        if found["livemode"] != self._livemode:
            raise OtherMode("This entry is of the other mode: it is not touched here.")
        await self._make_due({"entry_id": entry_id})
        return await self.get(entry_id)

    async def _insert(self, key: str, fields: Document) -> Kept:
        now = self._now()
        document: Document = {
            "_id": key,
            "entry_id": new_id("inb", now),
            "livemode": self._livemode,
            "received_at": now,
            "deliveries": 1,
            "attempts": 0,
            **fields,
        }
        while True:
            try:
                with failures():
                    await self._collection.insert_one(document)
                break
            except DuplicateKeyError:
                # A write as well, since only a write says that a majority has what it found.
                with failures():
                    again = await self._collection.update_one(
                        {"_id": key}, {"$inc": {"deliveries": 1}}
                    )
                if again.matched_count:
                    return Kept(None)
        if document["state"] != "pending":
            return Kept(document["state"])
        if document["attempts"]:
            return Kept("pending", _claimed(document))
        self.arrived.set()
        return Kept("pending")

    async def _end(self, entry: Claimed, fields: Document) -> None:
        with failures():
            await self._collection.update_one(
                {"_id": entry.key, "due_at": entry.due_at},
                {"$set": fields, "$unset": {"due_at": ""}},
            )

    async def _make_due(self, wanted: Document) -> None:
        with failures():
            await self._collection.update_one(
                wanted,
                {
                    "$set": {"state": "pending", "due_at": self._now(), "attempts": 0},
                    "$unset": {"expires_at": ""},
                },
            )
        self.arrived.set()

    def _pending(self, fact: Fact, lease: int = 0) -> Document:
        return {
            "state": "pending",
            "fact": fact.model_dump(),
            "due_at": self._now() + lease,
            "attempts": 1 if lease else 0,
        }

    def _done(self) -> Document:
        now = self._now()
        return {"state": "done", "handled_at": now, "expires_at": now + self._keep}

    def _now(self) -> int:
        return milliseconds(self._clock())


def _claimed(found: Document) -> Claimed:
    fact = found.get("fact")
    return Claimed(
        key=found["_id"],
        due_at=found["due_at"],
        attempts=found["attempts"],
        source=found["source"],
        livemode=found["livemode"],
        fact=None if fact is None else _facts.validate_python(fact),
        raw=found.get("raw"),
    )
