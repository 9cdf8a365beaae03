"""Jobs in MongoDB. Whoever works at one has it for a while; all steps are idempotent besides."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.deliver.jobs.job import Dated, Job
from tracemypods.kit.errors import NotFound
from tracemypods.kit.mongo import Document, store_failures

COLLECTION = "deliveries"


class JobUnknown(NotFound):
    """There is no such job."""

    code = "delivery_unknown"


class Jobs:
    """All jobs. Every call raises Unavailable `delivery_store_unavailable` when MongoDB is away."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        with _failures():
            create = self._collection.create_index
            await create("order_id")
            await create("due_at", sparse=True)
            await create("dead", sparse=True)

    async def add(self, job: Job) -> bool:
        """Keep a new job; False when it is there already."""
        try:
            with _failures():
                await self._collection.insert_one(job.model_dump(by_alias=True, exclude_none=True))
        except DuplicateKeyError:
            return False
        return True

    async def get(self, job_id: str) -> Job:
        """A job. Raises JobUnknown."""
        with _failures():
            found = await self._collection.find_one({"_id": job_id})
        if found is None:
            raise JobUnknown("There is no such delivery.")
        return Job.model_validate(found)

    async def of_order(self, order_id: str) -> list[Job]:
        """The jobs of an order, the oldest first."""
        with _failures():
            found = await self._collection.find({"order_id": order_id}).to_list()
        return sorted(map(Job.model_validate, found), key=lambda job: (job.created_at, job.id))

    async def page(self, before: str | None, most: int) -> list[Job]:
        """The newest jobs before another one: ids sort by the time of their orders."""
        where: Document = {} if before is None else {"_id": {"$lt": before}}
        with _failures():
            found = await self._collection.find(where).sort("_id", -1).limit(most).to_list()
        return [Job.model_validate(one) for one in found]

    async def page_of_dead(self, before: str | None, most: int) -> list[Job]:
        """The jobs that died last, before another one's `dead`."""
        where: Document = {"dead": {"$gt": ""} if before is None else {"$lt": before}}
        with _failures():
            found = await self._collection.find(where).sort("dead", -1).limit(most).to_list()
        return [Job.model_validate(one) for one in found]

    async def due(self, now: int, most: int) -> list[str]:
        """Ids of jobs that have to be looked at, the longest due first."""
        with _failures():
            cursor = self._collection.find(
                {"due_at": {"$lte": now}, "leased_until": {"$lte": now}}, {"_id": 1}
            )
            found = await cursor.sort("due_at", 1).limit(most).to_list()
        return [one["_id"] for one in found]

    async def lease(self, job_id: str, by: str, now: int, until: int) -> Job | None:
        """Take a job that is due for oneself, until then; None when somebody else has it.

        Who has it already gets it again: an answer of MongoDB's may have been lost.
        """
        free: Document = {"leased_until": {"$lte": now}}
        for whose in (free, {"leased_by": by}):
            with _failures():
                found = await self._collection.find_one_and_update(
                    {"_id": job_id, "due_at": {"$lte": now}, **whose},
                    {"$set": {"leased_until": until, "leased_by": by}},
                    return_document=ReturnDocument.AFTER,
                )
            if found is not None:
                return Job.model_validate(found)
        return None

    async def date(self, job_id: str, dated: Dated) -> Dated:
        """Date a job, if it has no date yet; returns the one that it has."""
        with _failures():
            done = await self._collection.update_one(
                {"_id": job_id, "dated": {"$exists": False}},
                {"$set": {"dated": dated.model_dump()}},
            )
        if done.matched_count:
            return dated
        kept = (await self.get(job_id)).dated
        if kept is None:
            raise AssertionError("it was dated a moment ago")
        return kept

    async def note(self, job: Job, **fields: Any) -> Job:
        """Change fields of a job; None takes one away. Returns the job with them."""
        known = job.model_dump()
        fields = {name: value for name, value in fields.items() if known[name] != value}
        if not fields:
            return job
        update: Document = {}
        if given := {name: value for name, value in fields.items() if value is not None}:
            update["$set"] = given
        if gone := {name: "" for name, value in fields.items() if value is None}:
            update["$unset"] = gone
        with _failures():
            await self._collection.update_one({"_id": job.id}, update)
        return job.model_copy(update=fields)

    async def wake(self, job_id: str, now: int) -> None:
        """Have a job looked at soon, unless it is to be anyway."""
        with _failures():
            await self._collection.update_one(
                {"_id": job_id, "due_at": {"$exists": False}}, {"$set": {"due_at": now}}
            )

    async def again(self, job: Job, now: int) -> None:
        """Have a document sent again: mailed once more, or tried anew where it had been given up.

        What has not been delivered yet stays the same mail.
        """
        fields: Document = {"status": "open", "tries": 0, "due_at": now, "leased_until": 0}
        if job.status == "done":
            fields |= {"mail": "none", "mails": job.mails + 1}
        with _failures():
            await self._collection.update_one(
                {"_id": job.id, "status": job.status, "mails": job.mails},
                {"$set": fields, "$unset": {"dead": "", "problem": ""}},
            )


def _failures() -> AbstractContextManager[None]:
    return store_failures("delivery_store_unavailable", "The store of deliveries")
