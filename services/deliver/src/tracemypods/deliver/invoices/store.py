"""Invoices and credit notes in MongoDB: written once, never changed."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.deliver.invoices.document import Document
from tracemypods.kit.mongo import Document as MongoDocument
from tracemypods.kit.mongo import store_failures

COLLECTION = "invoices"


class Invoices:
    """All documents, by the job that they are delivered by.

    Raises Unavailable `delivery_store_unavailable` when MongoDB is away.
    """

    def __init__(self, database: AsyncDatabase[MongoDocument]) -> None:
        self._collection: AsyncCollection[MongoDocument] = database[COLLECTION]

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        with _failures():
            await self._collection.create_index("number", unique=True)
            await self._collection.create_index("order_id")

    async def get(self, job_id: str) -> Document | None:
        """The document of a job; None if it has none yet."""
        with _failures():
            found = await self._collection.find_one({"_id": job_id})
        # As text, since what is kept must come back as it was on every server.
        return None if found is None else Document.model_validate_json(found["document"])

    async def keep(self, job_id: str, document: Document) -> Document:
        """Keep the document of a job; returns the one that was kept first."""
        try:
            with _failures():
                await self._collection.insert_one(
                    {
                        "_id": job_id,
                        "number": document.number,
                        "order_id": document.order_id,
                        "kind": document.kind,
                        "issued_at": document.issued_at,
                        "livemode": not document.is_test,
                        "total": document.total,
                        "document": document.model_dump_json(),
                    }
                )
        except DuplicateKeyError:
            kept = await self.get(job_id)
            if kept is None:
                raise
            return kept
        return document


def _failures() -> AbstractContextManager[None]:
    return store_failures("delivery_store_unavailable", "The store of invoices")
