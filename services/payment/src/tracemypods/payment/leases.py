"""Work that waits in MongoDB: what is due, and who does it.

A document that something is to be done with says when, in `due_at`; one with which nothing is to be
done has no such field. Whoever takes it moves that time on by a lease, guarded by the time that it
saw: of all replicas that try, one succeeds, and when that one dies the work is due again by itself.

Times are numbers, milliseconds since 1970 in UTC: the embedded server turns dates that an update
sets into text. It also finds what is due in a large collection only through an index on `due_at`
alone, and an update that looks for its document itself reads all of them (tried with nx-27017
0.8.1), so finding and taking are two steps.
"""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from datetime import datetime

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from tracemypods.kit.mongo import Document, store_failures

LEASE_MILLISECONDS = 60_000
"""Longer than what has to do with Razorpay takes: a few calls."""

_CHOICE = 10


class LeaseLost(Exception):
    """Somebody else has taken over, since this took too long."""


def failures() -> AbstractContextManager[None]:
    """Turn a failure of MongoDB into Unavailable `payment_store_unavailable`."""
    return store_failures("payment_store_unavailable", "The store of payments")


def milliseconds(moment: datetime) -> int:
    """A time as it is stored."""
    return int(moment.timestamp() * 1000)


async def create_index(collection: AsyncCollection[Document]) -> None:
    """Make the index that finds what is due."""
    with failures():
        await collection.create_index("due_at", sparse=True)


async def claim(collection: AsyncCollection[Document], livemode: bool, now: int) -> Document | None:
    """Take one thing that is due, as claim_some does; None when nothing is."""
    claimed = await claim_some(collection, livemode, now, lease=LEASE_MILLISECONDS, most=1)
    return claimed[0] if claimed else None


async def claim_some(
    collection: AsyncCollection[Document], livemode: bool, now: int, *, lease: int, most: int
) -> list[Document]:
    """Take what is due for longest, or nearly so, at most `most`, and count each attempt.

    The `lease` (milliseconds) must be longer than what is done under it takes. What belongs to the
    other `livemode` is left alone, whatever a demo has left behind. Raises Unavailable.
    """
    claimed: list[Document] = []
    with failures():
        due = (
            await collection.find(
                {"due_at": {"$lte": now}, "livemode": livemode}, projection={"due_at": 1}
            )
            .sort("due_at", 1)
            .limit(max(_CHOICE, most))
            .to_list()
        )
        for one in random.sample(due, len(due)):  # so that replicas seldom want the same
            found = await _claim_one(collection, one, now + lease)
            if found is not None:
                claimed.append(found)
            if len(claimed) == most:
                break
    return claimed


async def _claim_one(
    collection: AsyncCollection[Document], seen: Document, lease_ends: int
) -> Document | None:
    """Take one document as it was seen; None when somebody else was faster."""
    return await collection.find_one_and_update(
        {"_id": seen["_id"], "due_at": seen["due_at"]},
        {"$set": {"due_at": lease_ends}, "$inc": {"attempts": 1}},
        return_document=ReturnDocument.AFTER,
    )


def pause_milliseconds(attempts: int, longest_seconds: float) -> int:
    """How long to wait after so many attempts: twice as long each time, with jitter."""
    seconds = min(longest_seconds, 0.25 * 2 ** min(attempts, 20))
    return int(seconds * random.uniform(0.5, 1) * 1000)  # noqa: S311 - jitter is no secret
