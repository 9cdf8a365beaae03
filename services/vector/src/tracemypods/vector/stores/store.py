"""The interface of a store, which both engines have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from tracemypods.contracts.vectors import Collection
from tracemypods.kit.errors import FieldError, NotFound

Id = int | UUID

EXPIRES_AT = "expires_at"
LABELS = "labels"


@dataclass(frozen=True)
class Kept:
    """One entry as it is kept: a vector of length 1, and a document that says all the rest."""

    id: Id
    vector: Sequence[float]
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """One entry as it is read. `score` is the cosine, where there was something to compare to."""

    id: Id
    document: Mapping[str, Any]
    score: float = 0.0


@dataclass(frozen=True)
class Where:
    """Which entries: with all of these labels, and on one side of a time (in milliseconds).

    The values of a label stand for any of them.
    """

    labels: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    expires_after: int | None = None
    expires_until: int | None = None


class Store(Protocol):
    """Keeps entries in collections.

    Every call may raise Unavailable, soon, when the store is away, hung or slow; a write may have
    happened then. All but `upsert` raise NotFound `collection_unknown` for a collection that is
    not there. What `upsert` and the deletes have done is kept, whatever becomes of this process.
    """

    async def start(self) -> None:
        """Connect, or open what is there."""
        ...

    async def close(self) -> None:
        """Let go of everything. Raises nothing."""
        ...

    async def check(self) -> None:
        """Return when the store answers."""
        ...

    async def collections(self) -> list[Collection]:
        """The collections that are there, by name."""
        ...

    async def upsert(self, collection: Collection, entries: Sequence[Kept]) -> None:
        """Keep entries, in place of those with the same ids. Makes the collection if need be.

        Raises Problem `collections_full` (409) when there are too many of them.
        """
        ...

    async def search(
        self,
        collection: Collection,
        vector: Sequence[float],
        where: Where,
        limit: int,
        min_score: float | None,
    ) -> list[Found]:
        """The nearest entries, the nearest first. Exact: none that is nearer is left out."""
        ...

    async def get(self, collection: Collection, identifier: Id) -> Found | None:
        """One entry, expired or not."""
        ...

    async def page(
        self, collection: Collection, first: Id | None, limit: int, where: Where | None = None
    ) -> tuple[list[Found], Id | None]:
        """Entries by id, from the id `first` on, and the id that the next page begins with."""
        ...

    async def count(self, collection: Collection, where: Where | None = None) -> int:
        """How many entries there are."""
        ...

    async def delete(self, collection: Collection, ids: Sequence[Id]) -> int:
        """Delete entries; returns how many were there."""
        ...

    async def delete_where(self, collection: Collection, where: Where) -> int:
        """Delete all such entries; returns how many there were."""
        ...

    async def tidy(self) -> None:
        """Give back the room of what was deleted, as far as that is not done anyway."""
        ...


def unknown(name: str) -> NotFound:
    """What to raise for a collection that is not there."""
    return NotFound(
        f"There is no collection {name!r}.",
        code="collection_unknown",
        errors=[FieldError(field="path.collection", message="there is no such collection")],
    )
