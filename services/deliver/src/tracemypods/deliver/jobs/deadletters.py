"""Records of Kafka that could not be handled, kept for operators to look at.

They lie in the topic's dead letters besides; a broker may forget those.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, Field
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from tracemypods.events.dead_letters import DeadLetter
from tracemypods.kit.mongo import Document, store_failures

COLLECTION = "dead_letters"
LONGEST_VALUE = 4096
"""Characters of a record that are kept here."""


class DeadLetterOut(BaseModel):
    """A record, and why it was not handled. `at` is a Unix time in milliseconds."""

    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: int
    value: str = Field(description="What it began with; bytes that are no text are replaced")


class DeadLetters:
    """Keeps them. `now` tells the time in milliseconds.

    Raises Unavailable `delivery_store_unavailable` when MongoDB is away.
    """

    def __init__(self, database: AsyncDatabase[Document], now: Callable[[], int]) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]
        self._now = now

    async def keep(self, letter: DeadLetter) -> None:
        """Keep a record. One that comes twice is kept twice, since brokers count anew."""
        at = self._now()
        kept = DeadLetterOut(
            id=f"{at:014d}-{letter.topic}-{letter.partition}-{letter.offset}",
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            reason=letter.reason,
            at=at,
            value=_text(letter.value or b""),
        )
        document = kept.model_dump()
        document["_id"] = document.pop("id")
        with store_failures("delivery_store_unavailable", "The store of dead letters"):
            await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def page(self, before: str | None, most: int) -> list[DeadLetterOut]:
        """The newest that came before another one."""
        where: Document = {} if before is None else {"_id": {"$lt": before}}
        with store_failures("delivery_store_unavailable", "The store of dead letters"):
            found = await self._collection.find(where).sort("_id", -1).limit(most).to_list()
        return [DeadLetterOut(id=one["_id"], **one) for one in found]


def _text(value: bytes) -> str:
    return value.decode(errors="replace")[:LONGEST_VALUE].replace("\0", "\ufffd")
