"""Orders in MongoDB: every change is one guarded write of one document.

A change is worked out from the version that was read and is written only over that version, so two
at once never mix: whoever comes second works its change out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.kit.errors import NotFound
from tracemypods.kit.mongo import Document, store_failures
from tracemypods.order.orders.order import Order

COLLECTION = "orders"

OPEN_PER_ADDRESS = 5

Change = Callable[[Order], Order | None]


class OrderUnknown(NotFound):
    """There is no such order, or not for who asks."""

    code = "order_unknown"


class Duplicate(Exception):
    """Another order has the same value of something that each has alone; `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Orders:
    """All orders. Every call raises Unavailable `order_store_unavailable` when MongoDB is away."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection: AsyncCollection[Document] = database[COLLECTION]

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        with _failures():
            create = self._collection.create_index
            await create("idempotency_key", unique=True)
            await create("slot", unique=True, sparse=True)
            await create("razorpay_order_id", unique=True, sparse=True)
            await create("due_at", sparse=True)
            await create("publish_at", sparse=True)

    async def insert(self, order: Order) -> None:
        """Keep a new order. Raises Duplicate with `idempotency_key` or `slot`."""
        try:
            with _failures():
                await self._collection.insert_one(_document(order))
        except DuplicateKeyError as error:
            field = "slot" if "slot" in str(error) else "idempotency_key"
            raise Duplicate(field) from None

    async def get(self, order_id: str) -> Order:
        """An order. Raises OrderUnknown."""
        return await self._one({"_id": order_id})

    async def by_key(self, idempotency_key: str) -> Order:
        """The order of an idempotency key. Raises OrderUnknown."""
        return await self._one({"idempotency_key": idempotency_key})

    async def by_razorpay_order(self, razorpay_order_id: str) -> Order:
        """The order of one at Razorpay. Raises OrderUnknown."""
        return await self._one({"razorpay_order_id": razorpay_order_id})

    async def change(self, order: Order, change: Change) -> Order:
        """Change an order, beginning with the version that the caller has.

        `change` returns None where there is nothing to change, which has to hold for all later
        versions too: states go forward only. It is called again with the newest version when
        somebody else was faster. Returns the order as it is then. Raises OrderUnknown, and what
        `change` raises.
        """
        while True:
            changed = change(order)
            if changed is None:
                return order
            changed = changed.model_copy(update={"version": order.version + 1})
            if await self._replace(order, changed):
                return changed
            order = await self.get(order.id)

    async def due(self, now: int, most: int) -> list[str]:
        """Ids of orders that have to be looked at, the longest due first."""
        with _failures():
            cursor = self._collection.find(
                {"due_at": {"$lte": now}, "leased_until": {"$lte": now}}, {"_id": 1}
            )
            found = await cursor.sort("due_at", 1).limit(most).to_list()
        return [one["_id"] for one in found]

    async def unpublished(self, now: int, most: int) -> list[Order]:
        """Orders with something that has to be published, the longest due first."""
        with _failures():
            cursor = self._collection.find({"publish_at": {"$lte": now}})
            found = await cursor.sort("publish_at", 1).limit(most).to_list()
        return [Order.model_validate(one) for one in found]

    async def lease(self, order_id: str, now: int, until: int) -> Order | None:
        """Take an order that is due for oneself, until then; None when somebody has it already."""
        with _failures():
            found = await self._collection.find_one_and_update(
                {"_id": order_id, "due_at": {"$lte": now}, "leased_until": {"$lte": now}},
                {"$set": {"leased_until": until}, "$inc": {"version": 1, "tries": 1}},
                return_document=ReturnDocument.AFTER,
            )
        return None if found is None else Order.model_validate(found)

    async def page(self, before: str | None, most: int) -> list[Order]:
        """The newest orders that were made before another one: ids sort by time."""
        where: Document = {} if before is None else {"_id": {"$lt": before}}
        with _failures():
            cursor = self._collection.find(where).sort("_id", -1).limit(most)
            found = await cursor.to_list()
        return [Order.model_validate(one) for one in found]

    async def _one(self, where: Mapping[str, Any]) -> Order:
        with _failures():
            found = await self._collection.find_one(where)
        if found is None:
            raise OrderUnknown("There is no such order.")
        return Order.model_validate(found)

    async def _replace(self, old: Order, new: Order) -> bool:
        before, after = _document(old), _document(new)
        update: Document = {
            "$set": {name: value for name, value in after.items() if before.get(name) != value}
        }
        if gone := {name: "" for name in before if name not in after}:
            update["$unset"] = gone
        with _failures():
            found = await self._collection.find_one_and_update(
                {"_id": old.id, "version": old.version}, update
            )
        return found is not None


def _document(order: Order) -> Document:
    """Without what is None, so that sparse indexes leave it out."""
    return order.model_dump(by_alias=True, exclude_none=True)


def _failures() -> AbstractContextManager[None]:
    return store_failures("order_store_unavailable", "The store of orders")
