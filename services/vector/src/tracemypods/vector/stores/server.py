"""A Qdrant server."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from tracemypods.contracts.vectors import Collection, parse_name
from tracemypods.kit import deadlines
from tracemypods.kit.errors import Problem, Unavailable
from tracemypods.vector.stores.store import EXPIRES_AT, LABELS, Found, Id, Kept, Where, unknown

_log = logging.getLogger("tracemypods.vector.server")

_EXACT = models.SearchParams(exact=True)

ResultT = TypeVar("ResultT")


def connect(url: str, api_key: SecretStr | None, seconds: float) -> AsyncQdrantClient:
    """A client; it connects with the first call, which takes `seconds` at most, rounded up."""
    return AsyncQdrantClient(
        url=url,
        api_key=api_key.get_secret_value() if api_key else None,
        timeout=math.ceil(seconds),
        check_compatibility=False,  # it would call the server at once, and not asynchronously
    )


class ServerStore:
    """A store on a server that other processes may use as well. `seconds` is for each call."""

    def __init__(self, client: AsyncQdrantClient, *, seconds: float, max_collections: int) -> None:
        self._client = client
        self._seconds = seconds
        self._max_collections = max_collections
        self._prepared: set[str] = set()
        """Collections that are there and have their indexes, as far as is known."""

    async def start(self) -> None:
        """Connect, and make what indexes are missing."""
        for collection in await self.collections():
            await self._prepare(collection)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def check(self) -> None:
        """Return when the server answers."""
        await self._do(self._client.get_collections())

    async def collections(self) -> list[Collection]:
        """Those of the server's collections that are ours by their name."""
        found: list[Collection] = []
        for one in (await self._do(self._client.get_collections())).collections:
            try:
                found.append(parse_name(one.name))
            except ValueError:
                continue
        return sorted(found, key=lambda one: one.name)

    async def upsert(self, collection: Collection, entries: Sequence[Kept]) -> None:
        """Keep entries. Makes the collection if need be, another time if it went away since."""
        points = [
            models.PointStruct(id=_sent(one.id), vector=list(one.vector), payload={**one.document})
            for one in entries
        ]
        for attempt in range(2):
            await self._make(collection)
            try:
                await self._do(self._client.upsert(collection.name, points, wait=True), collection)
            except Problem as error:
                if error.code != "collection_unknown" or attempt:
                    raise
            else:
                return

    async def search(
        self,
        collection: Collection,
        vector: Sequence[float],
        where: Where,
        limit: int,
        min_score: float | None,
    ) -> list[Found]:
        """The nearest entries, the nearest first."""
        answer = await self._do(
            self._client.query_points(
                collection.name,
                query=list(vector),
                query_filter=_filter(where),
                search_params=_EXACT,
                limit=limit,
                score_threshold=min_score,
                with_payload=True,
            ),
            collection,
        )
        return [Found(_id(one.id), one.payload or {}, one.score) for one in answer.points]

    async def get(self, collection: Collection, identifier: Id) -> Found | None:
        """One entry."""
        found = await self._retrieve(collection, [identifier])
        return found[0] if found else None

    async def page(
        self, collection: Collection, first: Id | None, limit: int, where: Where | None = None
    ) -> tuple[list[Found], Id | None]:
        """Entries by id, and the id that the next page begins with."""
        call = self._client.scroll(
            collection.name,
            scroll_filter=_filter(where or Where()),
            offset=None if first is None else _sent(first),
            limit=limit,
            with_payload=True,
        )
        found, following = await self._do(call, collection)
        entries = [Found(_id(one.id), one.payload or {}) for one in found]
        return entries, None if following is None else _id(following)

    async def count(self, collection: Collection, where: Where | None = None) -> int:
        """How many entries there are."""
        call = self._client.count(collection.name, _filter(where or Where()), exact=True)
        return (await self._do(call, collection)).count

    async def delete(self, collection: Collection, ids: Sequence[Id]) -> int:
        """Delete entries; returns how many were there."""
        there = len(await self._retrieve(collection, ids))
        if there:
            chosen = models.PointIdsList(points=[_sent(one) for one in ids])
            await self._do(self._client.delete(collection.name, chosen, wait=True), collection)
        return there

    async def delete_where(self, collection: Collection, where: Where) -> int:
        """Delete all such entries; returns how many there were."""
        there = await self.count(collection, where)
        if there:
            chosen = models.FilterSelector(filter=_filter(where))
            await self._do(self._client.delete(collection.name, chosen, wait=True), collection)
        return there

    async def tidy(self) -> None:
        """Nothing: the server does that by itself."""

    async def _retrieve(self, collection: Collection, ids: Sequence[Id]) -> list[Found]:
        call = self._client.retrieve(
            collection.name, [_sent(one) for one in ids], with_payload=True, with_vectors=False
        )
        return [Found(_id(one.id), one.payload or {}) for one in await self._do(call, collection)]

    async def _make(self, collection: Collection) -> None:
        """Have the collection be there, with its indexes."""
        if collection.name in self._prepared:
            return
        there = await self.collections()
        if collection not in there:
            if len(there) >= self._max_collections:
                raise Problem(
                    f"There are {len(there)} collections already.",
                    status=409,
                    code="collections_full",
                )
            params = models.VectorParams(
                size=collection.dimension, distance=models.Distance.DOT, on_disk=False
            )
            try:
                await self._do(self._client.create_collection(collection.name, params))
            except UnexpectedResponse as error:
                if error.status_code != HTTPStatus.CONFLICT:  # another process was quicker
                    raise
        await self._prepare(collection)

    async def _prepare(self, collection: Collection) -> None:
        """Make its indexes. One that is there already stays as it is."""
        keyword, integer = models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.INTEGER
        wanted = {f"{LABELS}.{label}": keyword for label in collection.labels}
        for name, schema in {**wanted, EXPIRES_AT: integer}.items():
            call = self._client.create_payload_index(
                collection.name, field_name=name, field_schema=schema, wait=True
            )
            await self._do(call, collection)
        self._prepared.add(collection.name)

    async def _do(self, call: Awaitable[ResultT], collection: Collection | None = None) -> ResultT:
        """Make a call.

        Raises NotFound `collection_unknown`, and Unavailable `vector_store_timeout`, `_down` or
        `_failed`. An answer that blames what was asked passes: it is a mistake of ours.
        """
        limit = deadlines.at_most(self._seconds)
        try:
            async with asyncio.timeout(limit):
                return await call
        except TimeoutError:
            raise self._unavailable(
                f"The store did not answer within {limit or 0:.1f} s.", "vector_store_timeout"
            ) from None
        except UnexpectedResponse as error:
            status = error.status_code or 0
            if status == HTTPStatus.NOT_FOUND and collection is not None:
                self._prepared.discard(collection.name)
                raise unknown(collection.name) from None
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _REFUSED:
                _log.warning("store failed", extra={"status": status})
                raise self._unavailable(
                    f"The store answered with status {status}.", "vector_store_failed"
                ) from None
            raise
        except (ApiException, ResponseHandlingException) as error:
            _log.warning("store away", extra={"reason": str(error)[:200]})
            raise self._unavailable(
                "The store can't be reached, or broke off.", "vector_store_down"
            ) from None

    def _unavailable(self, detail: str, code: str) -> Unavailable:
        return Unavailable(f"{detail} Try again in a few seconds.", code=code)


_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
"""Statuses that say something about this server, and not about what was asked."""


def _filter(where: Where) -> models.Filter:
    must: list[Any] = [
        models.FieldCondition(key=f"{LABELS}.{name}", match=models.MatchAny(any=list(values)))
        for name, values in where.labels.items()
    ]
    if where.expires_after is not None:
        after = models.Range(gt=where.expires_after)
        must.append(models.FieldCondition(key=EXPIRES_AT, range=after))
    if where.expires_until is not None:
        until = models.Range(lte=where.expires_until)
        must.append(models.FieldCondition(key=EXPIRES_AT, range=until))
    return models.Filter(must=must)


def _sent(identifier: Id) -> int | str:
    return identifier if isinstance(identifier, int) else str(identifier)


def _id(found: Any) -> Id:
    return found if isinstance(found, int) else UUID(str(found))
