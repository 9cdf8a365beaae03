"""What can be done with entries, whatever the store and whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.contracts.vectors import (
    Collection,
    Entry,
    ListRequest,
    Match,
    Page,
    Point,
    SearchRequest,
    parse_name,
    spelled,
)
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import FieldError, InvalidRequest
from tracemypods.vector.stores.store import EXPIRES_AT, LABELS, Found, Id, Kept, Store, Where

Given = tuple[str, list[float] | None, str | None]
"""Where in the request something stands (with a dot, or nothing), its vector, its text."""


class Entries:
    """The entries of all collections. `embedding` is None where no texts are taken."""

    def __init__(self, store: Store, embedding: EmbeddingClient | None, clock: Clock) -> None:
        self._store = store
        self._embedding = embedding
        self._clock = clock

    def now(self) -> int:
        """The time in milliseconds, as entries have it."""
        return int(self._clock().timestamp() * 1000)

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """Keep points.

        Raises InvalidRequest for labels or vectors that the collection does not have, what
        the embedding service refuses, and what a store raises.
        """
        given: list[Given] = []
        for number, point in enumerate(points):
            place = f"points.{number}."
            _check_labels(collection, point.labels, f"{place}labels")
            given.append((place, point.vector, point.text))
        vectors = await self._vectors(collection, given)
        kept = [
            Kept(
                one.id,
                vector,
                {
                    LABELS: one.labels,
                    "payload": one.payload,
                    "stored_at": one.stored_at,
                    EXPIRES_AT: one.expires_at,
                },
            )
            for one, vector in zip(points, vectors, strict=True)
        ]
        await self._store.upsert(collection, kept)

    async def search(self, collection: Collection, asked: SearchRequest) -> list[Match]:
        """The nearest entries that have not expired, the nearest first. Raises as upsert does."""
        _check_labels(collection, asked.labels, "labels")
        vectors = await self._vectors(collection, [("", asked.vector, asked.text)])
        where = Where(asked.labels, expires_after=self.now())
        found = await self._store.search(
            collection, vectors[0], where, asked.limit, asked.min_score
        )
        return [
            Match(**entry(one).model_dump(), score=max(-1.0, min(1.0, one.score))) for one in found
        ]

    async def list(self, collection: Collection, asked: ListRequest) -> Page:
        """Entries by their ids, or a page of those with some labels. Raises InvalidRequest."""
        _check_some_labels(collection, asked.labels)
        if asked.ids is None:
            where = Where(asked.labels, expires_after=self.now())
            found, following = await self._store.page(collection, asked.cursor, asked.limit, where)
            return Page(items=[entry(one) for one in found], cursor=following)
        read = await self._read(collection, asked.ids, asked.labels)
        valid = [one for one in map(entry, read) if one.expires_at > self.now()]
        return Page(items=valid)

    async def delete_ids(
        self, collection: Collection, ids: Iterable[Id], labels: Mapping[str, Sequence[str]]
    ) -> int:
        """Delete entries by their ids, as far as they have these labels; how many there were."""
        wanted = list(ids)
        if labels:
            wanted = [one.id for one in await self._read(collection, wanted, labels)]
        return await self._store.delete(collection, wanted) if wanted else 0

    async def delete_labelled(
        self, collection: Collection, labels: Mapping[str, Sequence[str]]
    ) -> int:
        """Delete all entries with these labels; returns how many there were."""
        _check_some_labels(collection, labels)
        return await self._store.delete_where(collection, Where(labels))

    async def delete_expired(self, collection: Collection) -> int:
        """Delete all entries whose time is over; returns how many there were."""
        return await self._store.delete_where(collection, Where(expires_until=self.now()))

    async def _read(
        self, collection: Collection, ids: Iterable[Id], labels: Mapping[str, Sequence[str]]
    ) -> Sequence[Found]:
        """Entries by their ids, as far as they have these labels."""
        found = [await self._store.get(collection, one) for one in ids]
        return [one for one in found if one is not None and _has(one, labels)]

    async def _vectors(
        self, collection: Collection, given: Sequence[Given]
    ) -> list[Sequence[float]]:
        """The vectors of what was given, in its order."""
        wrong = [
            (
                f"{place}vector",
                f"it has {len(vector)} numbers, the collection takes {collection.dimension}",
            )
            for place, vector, _ in given
            if vector is not None and len(vector) != collection.dimension
        ]
        _refuse(wrong)
        texts = [(f"{place}text", text) for place, _, text in given if text is not None]
        embedded = iter(await self._embed(collection, texts) if texts else ())
        return [next(embedded) if vector is None else vector for _, vector, _ in given]

    async def _embed(
        self, collection: Collection, texts: Sequence[tuple[str, str]]
    ) -> list[Sequence[float]]:
        """The vectors of (place in the request, text)."""
        if self._embedding is None:
            raise _invalid((place, "no texts are taken here: send vectors") for place, _ in texts)
        made = await self._embedding.embed([text for _, text in texts])
        space = spelled(made.space)
        _refuse(
            (place, f"texts become vectors of {space} with {len(vector)} numbers here")
            for (place, _), vector in zip(texts, made.vectors, strict=True)
            if (space, len(vector)) != (collection.space, collection.dimension)
        )
        _refuse(
            (place, "it is longer than the model's window")
            for (place, _), cut in zip(texts, made.truncated, strict=True)
            if cut
        )
        return list(made.vectors)


def collection_of(name: str) -> Collection:
    """The collection of a request's path. Raises InvalidRequest."""
    try:
        return parse_name(name)
    except ValueError as error:
        raise _invalid([("path.collection", str(error))]) from None


def _has(found: Found, labels: Mapping[str, Sequence[str]]) -> bool:
    """Whether an entry has one of the values of each of these labels."""
    there = found.document[LABELS]
    return all(there[name] in wanted for name, wanted in labels.items())


def entry(found: Found) -> Entry:
    """An entry as callers see it."""
    return Entry.model_validate({**found.document, "id": found.id})


def parse_id(text: str, field: str) -> Id:
    """An entry's id as it stands in a path or query. Raises InvalidRequest."""
    if text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 2**64:
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        raise _invalid([(field, "an id is a UUID, or a whole number below 2^64")]) from None


def _check_some_labels(collection: Collection, labels: Iterable[str]) -> None:
    strange = [name for name in labels if name not in collection.labels]
    _refuse((f"labels.{name}", "the collection has no such label") for name in strange)


def _check_labels(collection: Collection, labels: Iterable[str], place: str) -> None:
    given = set(labels)
    missing = [name for name in collection.labels if name not in given]
    strange = [name for name in labels if name not in collection.labels]
    _refuse(
        [
            *((f"{place}.{name}", "this label is missing") for name in missing),
            *((f"{place}.{name}", "the collection has no such label") for name in strange),
        ]
    )


def _refuse(problems: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidRequest if there are any problems, each a field and what is wrong with it."""
    found = list(problems)
    if found:
        raise _invalid(found)


def _invalid(problems: Iterable[tuple[str, str]]) -> InvalidRequest:
    errors = [FieldError(field=field, message=message) for field, message in problems]
    named = "; ".join(f"{one.field}: {one.message}" for one in errors[:5])
    return InvalidRequest(f"The request is not valid: {named}.", errors=errors)
