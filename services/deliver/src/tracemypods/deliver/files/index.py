"""The index of files: one document in MongoDB for each file in the bucket.

    {_id: key, bucket, kind, order_id, number, size, sha256, content_type, made_at}

Times are in milliseconds. What is here once is never changed, as the files themselves.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.events import DocumentKind
from tracemypods.kit.mongo import Document, store_failures

COLLECTION = "files"
MOST_OF_AN_ORDER = 100
"""An order has an invoice and, for each refund, a credit note."""


class FileRecord(BaseModel):
    """What is known of a file."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    key: str = Field(alias="_id")
    bucket: str
    kind: DocumentKind
    order_id: str
    number: str
    size: int
    sha256: str
    content_type: str
    made_at: int


class FileIndex:
    """The index. Every method raises Unavailable `file_index_unavailable`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        with _failures():
            await self._collection.create_index("order_id")

    async def add(self, record: FileRecord) -> bool:
        """Note a file; whether it was not noted before. What was noted first stays."""
        fields = record.model_dump(exclude={"key"})
        try:
            with _failures():
                done = await self._collection.update_one(
                    {"_id": record.key}, {"$setOnInsert": fields}, upsert=True
                )
        except DuplicateKeyError:
            # Somebody else has noted it between the look and the write.
            return False
        return done.upserted_id is not None

    async def get(self, key: str) -> FileRecord | None:
        """One file; None when it is not noted."""
        with _failures():
            found = await self._collection.find_one({"_id": key})
        return None if found is None else FileRecord.model_validate(found)

    async def of_order(self, order_id: str) -> list[FileRecord]:
        """An order's files, by their keys."""
        with _failures():
            found = await (
                self._collection.find({"order_id": order_id}).limit(MOST_OF_AN_ORDER).to_list()
            )
        return sorted((FileRecord.model_validate(one) for one in found), key=lambda one: one.key)

    async def page(self, after: str | None, limit: int) -> list[FileRecord]:
        """Files by their keys, from behind the key `after`."""
        wanted: Document = {} if after is None else {"_id": {"$gt": after}}
        with _failures():
            found = await self._collection.find(wanted).sort("_id", 1).limit(limit).to_list()
        return [FileRecord.model_validate(one) for one in found]


def _failures() -> AbstractContextManager[None]:
    return store_failures("file_index_unavailable", "The index of files")
