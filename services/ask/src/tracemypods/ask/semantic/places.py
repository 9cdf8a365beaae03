"""Where a text lies: its vector, in the collection of the embedder's space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.contracts.vectors import Collection, collection

KIND = "answers"
"""Of the vector service's collections."""

LEAST_SIMILARITY = 0.7
"""Chosen by the report in docs/semantic-cache.md: the gate decides, this only finds candidates."""


@dataclass(frozen=True)
class Place:
    """A vector and the collection of those that it can be compared with."""

    collection: Collection
    vector: Sequence[float]


class Places:
    """Finds them with the embedding service."""

    def __init__(self, embedder: EmbeddingClient) -> None:
        self._embedder = embedder

    async def close(self) -> None:
        """Close the connections."""
        await self._embedder.close()

    async def of(self, text: str) -> Place | None:
        """Where a text lies; None for one that the embedder has to cut.

        Raises Problem or DependencyError.
        """
        made = await self._embedder.embed([text])
        vector = made.vectors[0]
        if made.truncated[0]:
            return None
        return Place(collection(KIND, made.space, len(vector)), vector)

    async def here(self) -> Collection:
        """The collection of the embedder that there is now. Raises Problem or DependencyError."""
        made = await self._embedder.embed(["where"])
        return collection(KIND, made.space, len(made.vectors[0]))
