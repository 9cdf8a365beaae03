"""Searches with a filter: the vector service's embedded engine against qdrant-client's local mode.

Both hold the same entries and answer the same questions, exactly, in one thread of this process.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from tracemypods.contracts.vectors import KINDS, Collection
from tracemypods.vector.stores.embedded import EmbeddedStore
from tracemypods.vector.stores.store import Kept, Where

OURS, THEIRS = "our embedded engine", "qdrant-client's local mode"
ENTRIES, DIMENSION, LIMIT = 100_000, 384, 5
MODELS = 10
"""A search is for the entries of one of so many models, half of which have expired."""
QUESTIONS = {OURS: 200, THEIRS: 10}
"""How many questions each is asked in a round."""

_COLLECTION = Collection("answers", "bench.float32", DIMENSION)
_BATCH = 500


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """The mean milliseconds of a search in each round.

    Raises RuntimeError when the two do not find the same.
    """
    return asyncio.run(_measure(folder, rounds, tell))


async def _measure(
    folder: Path, rounds: int, tell: Callable[[str], None]
) -> dict[str, list[float]]:
    numbers = np.random.default_rng(11)
    found = numbers.standard_normal((ENTRIES, DIMENSION)).astype(np.float32)
    vectors: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    ours = EmbeddedStore(folder, seconds=60, waiting=8, max_collections=1)
    await ours.start()
    with warnings.catch_warnings():
        # It says that it makes no indexes, and that it is not made for so many entries.
        warnings.simplefilter("ignore")
        theirs = QdrantClient(location=":memory:")
        theirs.create_collection(
            _COLLECTION.name,
            models.VectorParams(size=DIMENSION, distance=models.Distance.DOT),
        )
        for first in range(0, ENTRIES, _BATCH):
            batch = range(first, min(first + _BATCH, ENTRIES))
            await ours.upsert(
                _COLLECTION, [Kept(one, vectors[one].tolist(), _document(one)) for one in batch]
            )
            theirs.upsert(
                _COLLECTION.name,
                models.Batch(
                    ids=list(batch),
                    vectors=vectors[first : first + len(batch)].tolist(),
                    payloads=[_document(one) for one in batch],
                ),
            )
    tell(f"  vector: {ENTRIES} entries are in both")

    async def ask_ours(number: int) -> list[Any]:
        where = Where(_labels(number), expires_after=0)
        query = vectors[number].tolist()
        return [one.id for one in await ours.search(_COLLECTION, query, where, LIMIT, None)]

    async def ask_theirs(number: int) -> list[Any]:
        must: list[Any] = [
            models.FieldCondition(key=f"labels.{name}", match=models.MatchValue(value=value))
            for name, value in _labels(number).items()
        ]
        must.append(models.FieldCondition(key="expires_at", range=models.Range(gt=0)))
        answer = theirs.query_points(
            _COLLECTION.name,
            query=vectors[number].tolist(),
            query_filter=models.Filter(must=must),
            limit=LIMIT,
        )
        return [one.id for one in answer.points]

    for number in range(3):
        if await ask_ours(number) != await ask_theirs(number):
            raise RuntimeError("the two engines do not find the same")
    milliseconds: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for number in range(rounds):
        order = ((OURS, ask_ours), (THEIRS, ask_theirs))
        for name, ask in order if number % 2 else order[::-1]:
            began = time.perf_counter()
            for question in range(QUESTIONS[name]):
                await ask(question)
            taken = time.perf_counter() - began
            milliseconds[name].append(taken / QUESTIONS[name] * 1000)
        tell(f"  vector: round {number + 1} of {rounds}")
    await ours.close()
    return milliseconds


def _labels(number: int) -> dict[str, str]:
    return {**dict.fromkeys(KINDS["answers"], "x"), "model": f"m{number % MODELS}"}


def _document(number: int) -> dict[str, Any]:
    return {
        "labels": _labels(number),
        "payload": {"question": f"Question {number}?", "answer": "x" * 300},
        "stored_at": 0,
        "expires_at": number // MODELS % 2,
    }
