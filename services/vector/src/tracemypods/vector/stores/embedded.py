"""The embedded engine: Qdrant Edge, one folder for each collection.

What it is told is in its write-ahead log before a call returns, so it outlives this process, killed
or not. (A power cut may take what was written since the last sweep: this holds a cache.)

Its library holds Python's lock while it works, so its calls stand in one line, in one thread. They
are short: tenths of a millisecond. What is not (writing everything to the disk, taking out what was
deleted) happens once a sweep.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge

from tracemypods.contracts.vectors import Collection, parse_name
from tracemypods.kit import deadlines
from tracemypods.kit.errors import Problem, Unavailable
from tracemypods.vector.stores.store import EXPIRES_AT, LABELS, Found, Id, Kept, Where, unknown

_log = logging.getLogger("tracemypods.vector.embedded")

PRIVATE_FOLDER = 0o700
UNFINISHED = ".unfinished"
"""Ends the name of a collection that is being made."""

LONG_SECONDS = 300.0
"""How long it may take to open, close or tidy up, which nobody waits for."""
MAKE_SECONDS = 10.0
"""How long it may take to make a collection, most of which is waiting for the disk."""

# No graph is made of vectors: up to 10^5 of them are compared one by one, and none is missed.
_NO_INDEX_KB = 2**31

ResultT = TypeVar("ResultT")


class EmbeddedStore:
    """A store in a folder. One process at a time can have it open.

    `seconds` is how long a call may take, `waiting` how many may stand in line.
    """

    def __init__(self, folder: Path, *, seconds: float, waiting: int, max_collections: int) -> None:
        self._folder = folder
        self._seconds = seconds
        self._waiting = waiting
        self._max_collections = max_collections
        self._calls = 0
        self._shards: dict[str, edge.EdgeShard] = {}
        self._broken: set[str] = set()
        self._changed: set[str] = set()
        self._thread = ThreadPoolExecutor(1, "vector-store")

    async def start(self) -> None:
        """Open the collections that are there.

        One that can't be opened is left as it is and answers with 503. Raises Unavailable
        `vector_store_locked` while another process has the folder open.
        """
        await self._do(self._open_all, seconds=LONG_SECONDS)

    async def close(self) -> None:
        """Write everything to the disk and close it."""
        try:
            await self._do(self._close_all, seconds=LONG_SECONDS)
        except Problem as error:
            _log.warning("store not closed", extra={"reason": error.code})
        self._thread.shutdown(wait=False)

    async def check(self) -> None:
        """Return when the thread answers."""
        await self._do(lambda: None)

    async def collections(self) -> list[Collection]:
        """The collections that are open, by name."""
        return [parse_name(name) for name in sorted(self._shards)]

    async def upsert(self, collection: Collection, entries: Sequence[Kept]) -> None:
        """Keep entries. Makes the collection if need be."""
        points = [edge.Point(one.id, list(one.vector), dict(one.document)) for one in entries]
        if collection.name not in self._shards:
            await self._do(lambda: self._make(collection), seconds=MAKE_SECONDS)
        await self._do(lambda: self._upsert(collection, points))

    async def search(
        self,
        collection: Collection,
        vector: Sequence[float],
        where: Where,
        limit: int,
        min_score: float | None,
    ) -> list[Found]:
        """The nearest entries, the nearest first."""
        asked = edge.SearchRequest(
            query=edge.Query.Nearest(list(vector)),
            filter=_filter(where),
            limit=limit,
            with_payload=True,
            score_threshold=min_score,
            params=edge.SearchParams(exact=True),
        )
        found = await self._do(lambda: self._shard(collection).search(asked))
        return [Found(_id(one.id), one.payload or {}, one.score) for one in found]

    async def get(self, collection: Collection, identifier: Id) -> Found | None:
        """One entry."""
        found = await self._do(lambda: self._shard(collection).retrieve([identifier], True, False))
        return Found(_id(found[0].id), found[0].payload or {}) if found else None

    async def page(
        self, collection: Collection, first: Id | None, limit: int, where: Where | None = None
    ) -> tuple[list[Found], Id | None]:
        """Entries by id, and the id that the next page begins with."""
        asked = edge.ScrollRequest(
            offset=first, limit=limit, filter=_filter(where or Where()), with_payload=True
        )
        found, following = await self._do(lambda: self._shard(collection).scroll(asked))
        entries = [Found(_id(one.id), one.payload or {}) for one in found]
        return entries, None if following is None else _id(following)

    async def count(self, collection: Collection, where: Where | None = None) -> int:
        """How many entries there are."""
        asked = edge.CountRequest(exact=True, filter=_filter(where or Where()))
        return await self._do(lambda: self._shard(collection).count(asked))

    async def delete(self, collection: Collection, ids: Sequence[Id]) -> int:
        """Delete entries; returns how many were there."""

        def work() -> int:
            shard = self._shard(collection)
            there = len(shard.retrieve(list(ids), False, False))
            if there:
                self._changed.add(collection.name)
                shard.update(edge.UpdateOperation.delete_points(list(ids)))
            return there

        return await self._do(work)

    async def delete_where(self, collection: Collection, where: Where) -> int:
        """Delete all such entries; returns how many there were."""
        condition = _filter(where)

        def work() -> int:
            shard = self._shard(collection)
            there = shard.count(edge.CountRequest(exact=True, filter=condition))
            if there:
                self._changed.add(collection.name)
                shard.update(edge.UpdateOperation.delete_points_by_filter(condition))
            return there

        return await self._do(work)

    async def tidy(self) -> None:
        """Write what has changed to the disk, and take out what was deleted."""
        for name in list(self._changed):
            await self._do(lambda name=name: self._tidy(name), seconds=LONG_SECONDS)

    async def _do(self, work: Callable[[], ResultT], seconds: float | None = None) -> ResultT:
        """Have the thread do it, in `seconds` (the usual ones when left out).

        Raises Unavailable `vector_store_busy`, `_timeout`, `_closed` or `_failed`, and what `work`
        raises as a Problem.
        """
        if self._calls >= self._waiting:
            raise Unavailable("Too many calls wait for the store.", code="vector_store_busy")
        limit = deadlines.at_most(self._seconds if seconds is None else seconds)
        self._calls += 1
        try:
            async with asyncio.timeout(limit):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            raise Unavailable(
                f"The store did not answer within {limit or 0:.1f} s.", code="vector_store_timeout"
            ) from None
        except RuntimeError as error:  # the thread was shut down
            raise Unavailable("The store is closed.", code="vector_store_closed") from error
        except Exception as error:
            # The library raises plain Exceptions for everything: a full disk, a broken file.
            if type(error) is not Exception and not isinstance(error, OSError):
                raise
            _log.error("store failed", extra={"reason": str(error)[:300]})
            raise Unavailable(
                "The store failed. Its log says why.", code="vector_store_failed"
            ) from error
        finally:
            self._calls -= 1

    def _open_all(self) -> None:
        self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for folder in sorted(self._folder.iterdir()):
            if folder.name.endswith(UNFINISHED):
                shutil.rmtree(folder)
                continue
            try:
                collection = parse_name(folder.name)
            except ValueError:
                continue
            if collection.name not in self._shards:
                self._open(collection, folder)

    def _open(self, collection: Collection, folder: Path) -> None:
        try:
            shard = edge.EdgeShard.load(str(folder), _config(collection))
        except Exception as error:
            if "WouldBlock" in str(error):
                raise Unavailable(
                    "Another process has the store's folder open.", code="vector_store_locked"
                ) from error
            _log.error(
                "collection can't be opened",
                extra={"collection": collection.name, "reason": str(error)[:300]},
            )
            self._broken.add(collection.name)
            return
        _make_indexes(shard, collection)  # a kind may have been given labels since
        self._broken.discard(collection.name)
        self._shards[collection.name] = shard

    def _make(self, collection: Collection) -> None:
        if collection.name in self._shards or collection.name in self._broken:
            return
        if len(self._shards) >= self._max_collections:
            raise Problem(
                f"There are {len(self._shards)} collections already.",
                status=409,
                code="collections_full",
            )
        folder = self._folder / collection.name
        unfinished = folder.with_name(f"{folder.name}{UNFINISHED}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=PRIVATE_FOLDER)
        shard = edge.EdgeShard.create(str(unfinished), _config(collection))
        _make_indexes(shard, collection)
        shard.flush()
        shard.close()
        unfinished.rename(folder)
        self._open(collection, folder)

    def _shard(self, collection: Collection) -> edge.EdgeShard:
        shard = self._shards.get(collection.name)
        if shard is not None:
            return shard
        if collection.name in self._broken:
            raise Unavailable(
                "This collection can't be opened. The log says why.", code="collection_broken"
            )
        raise unknown(collection.name)

    def _upsert(self, collection: Collection, points: list[edge.Point]) -> None:
        shard = self._shard(collection)
        self._changed.add(collection.name)
        shard.update(edge.UpdateOperation.upsert_points(points))

    def _tidy(self, name: str) -> None:
        self._changed.discard(name)
        shard = self._shards[name]
        shard.flush()
        shard.optimize()

    def _close_all(self) -> None:
        while self._shards:
            _, shard = self._shards.popitem()
            shard.flush()
            shard.close()


def _config(collection: Collection) -> edge.EdgeConfig:
    return edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(size=collection.dimension, distance=edge.Distance.Dot),
        max_search_threads=1,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NO_INDEX_KB),
    )


def _make_indexes(shard: edge.EdgeShard, collection: Collection) -> None:
    there = shard.info().payload_schema
    wanted = {f"{LABELS}.{label}": edge.PayloadSchemaType.Keyword for label in collection.labels}
    wanted[EXPIRES_AT] = edge.PayloadSchemaType.Integer
    for name, schema in wanted.items():
        if name not in there:
            shard.update(edge.UpdateOperation.create_field_index(name, schema))


def _filter(where: Where) -> edge.Filter:
    must: list[edge.ConditionType] = [
        edge.FieldCondition(f"{LABELS}.{name}", match=edge.MatchAny(list(values)))
        for name, values in where.labels.items()
    ]
    if where.expires_after is not None:
        after = edge.RangeFloat(gt=where.expires_after)
        must.append(edge.FieldCondition(EXPIRES_AT, range=after))
    if where.expires_until is not None:
        until = edge.RangeFloat(lte=where.expires_until)
        must.append(edge.FieldCondition(EXPIRES_AT, range=until))
    return edge.Filter(must=must)


def _id(found: edge.PointId) -> Id:
    """The library's own stubs say that an id might be text; none that it gives is."""
    if isinstance(found, str):
        raise TypeError("an id is text")
    return found
