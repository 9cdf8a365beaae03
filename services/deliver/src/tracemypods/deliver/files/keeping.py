"""Keeping documents: the file in the bucket, and what is known of it in the index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tracemypods.deliver.files.bucket import Bucket
from tracemypods.deliver.files.errors import FileDiffers
from tracemypods.deliver.files.index import FileIndex, FileRecord
from tracemypods.deliver.files.keys import document_key
from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.invoices.years import financial_year, long_form

PDF = "application/pdf"


class Files:
    """The files of documents. `name` is the bucket's; `now` tells the time in milliseconds.

    Raises the Problems of both.
    """

    def __init__(self, bucket: Bucket, name: str, index: FileIndex, now: Callable[[], int]) -> None:
        self._bucket = bucket
        self._name = name
        self._index = index
        self._now = now

    async def create_indexes(self) -> None:
        """Make the index's own indexes; harmless when they are there."""
        await self._index.create_indexes()

    def key(self, document: Document) -> str:
        """Where a document lies."""
        year = long_form(financial_year(document.issued_at))
        return document_key(year, document.order_id, document.number)

    async def keep(self, document: Document, pdf: bytes) -> bytes:
        """Keep a document's file; returns the one that is kept, which is the first one."""
        key = self.key(document)
        try:
            await self._bucket.put(key, pdf, content_type=PDF, filename=filename(document.number))
        except FileDiffers:
            # Made by another version of the renderer, and its buyer may have it already.
            pdf = await self._bucket.get(key)
        await self._index.add(
            FileRecord.model_validate(
                {
                    "key": key,
                    "bucket": self._name,
                    "kind": document.kind,
                    "order_id": document.order_id,
                    "number": document.number,
                    "size": len(pdf),
                    "sha256": hashlib.sha256(pdf).hexdigest(),
                    "content_type": PDF,
                    "made_at": self._now(),
                }
            )
        )
        return pdf

    async def get(self, key: str) -> bytes:
        """A file that is kept."""
        return await self._bucket.get(key)

    async def of_order(self, order_id: str) -> list[FileRecord]:
        """What is kept of an order."""
        return await self._index.of_order(order_id)

    async def link(self, file: FileRecord, seconds: int) -> str:
        """A link that works for so long."""
        return await self._bucket.link(file.key, filename(file.number), seconds)


def filename(number: str) -> str:
    """Under which name a document is mailed and downloaded."""
    return f"{number.replace('/', '-')}.pdf"
