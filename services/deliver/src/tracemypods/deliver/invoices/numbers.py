"""Numbers of documents: consecutive within a series and a financial year, each used exactly once.

Rule 46(b) of the CGST Rules: at most 16 characters, letters, digits, `-` and `/`. A number is taken
by one guarded write of the series' counter, which notes for whom it is, so that whoever takes over
after a crash finds it there and no number is lost. The note goes once the document is kept.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.invoices.store import Invoices
from tracemypods.deliver.invoices.years import short_form
from tracemypods.kit.mongo import Document as MongoDocument
from tracemypods.kit.mongo import store_failures

COLLECTION = "invoice_counters"
LONGEST = 16
LONGEST_SERIES = 4


class SeriesFull(Exception):
    """All numbers of a series are used up this year."""


def written(series: str, year: int, sequence: int) -> str:
    """A number as it is printed, such as `TMP/2627/0000123`; always of 16 characters.

    Raises SeriesFull.
    """
    head = f"{series}/{short_form(year)}/"
    digits = str(sequence).zfill(LONGEST - len(head))
    if len(head) + len(digits) > LONGEST:
        raise SeriesFull(f"{head} has no number {sequence}")
    return head + digits


class Numbers:
    """Gives documents their numbers and keeps them. Raises Unavailable when MongoDB is away."""

    def __init__(self, database: AsyncDatabase[MongoDocument], invoices: Invoices) -> None:
        self._collection: AsyncCollection[MongoDocument] = database[COLLECTION]
        self._invoices = invoices
        # Those of one process take turns: each would only make the others try again.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def numbered(
        self, job_id: str, series: str, year: int, make: Callable[[str], Document]
    ) -> Document:
        """The document of a job; made and kept with the next number if there is none yet.

        Two at once get the same. Raises SeriesFull.
        """
        counter = f"{series}/{year}"
        async with self._turns[counter]:
            kept = await self._numbered(job_id, counter, lambda n: make(written(series, year, n)))
        await self._forget(counter, job_id)
        return kept

    async def _numbered(
        self, job_id: str, counter: str, make: Callable[[int], Document]
    ) -> Document:
        while True:
            # In this order: somebody else may have taken the job's number since, kept the document
            # and removed the note. Then either the note, the document or another sequence is seen.
            sequence, noted = await self._read(counter, job_id)
            kept = await self._invoices.get(job_id)
            if kept is not None:
                return kept
            if noted is not None:
                return await self._invoices.keep(job_id, make(noted))
            made = make(sequence + 1)  # raises before a number is taken, if at all
            if await self._take(counter, job_id, sequence):
                # Nobody has taken any number since the look: this one is the job's. Whoever finds
                # the note meanwhile keeps the document with the same number.
                return await self._invoices.keep(job_id, made)

    async def _read(self, counter: str, job_id: str) -> tuple[int, int | None]:
        """How far a counter is, and the number that is noted for a job."""
        with _failures():
            found = await self._collection.find_one({"_id": counter})
            if found is None:
                try:
                    await self._collection.insert_one({"_id": counter, "sequence": 0})
                except DuplicateKeyError:
                    return await self._read(counter, job_id)
                return 0, None
        noted = found.get("pending", {}).get(job_id)
        return int(found["sequence"]), None if noted is None else int(noted)

    async def _take(self, counter: str, job_id: str, sequence: int) -> bool:
        """Note the next number for a job; False where somebody was faster."""
        with _failures():
            done = await self._collection.update_one(
                {"_id": counter, "sequence": sequence},
                {"$set": {"sequence": sequence + 1, f"pending.{job_id}": sequence + 1}},
            )
        return done.matched_count == 1

    async def _forget(self, counter: str, job_id: str) -> None:
        with _failures():
            await self._collection.update_one(
                {"_id": counter}, {"$unset": {f"pending.{job_id}": ""}}
            )


def _failures() -> AbstractContextManager[None]:
    return store_failures("delivery_store_unavailable", "The store of invoices")
