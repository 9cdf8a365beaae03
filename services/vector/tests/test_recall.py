"""10,000 entries: nothing that should be found is missed, and memory stays small."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from vector_service import Alone, Caller, labels, point

from tracemypods.contracts.vectors import MAX_POINTS, Collection
from tracemypods.local import memory

ENTRIES, DIMENSION, QUERIES, LIMIT = 10_000, 384, 30, 10
SPACE = Collection("answers", "test.float32", DIMENSION)
MODELS, TIERS = 5, 2
FAR_FUTURE = 2**52
MIB = 1024 * 1024


class Corpus:
    """Random directions. Every third entry has expired long ago."""

    def __init__(self) -> None:
        numbers = np.random.default_rng(7)
        found = numbers.standard_normal((ENTRIES, DIMENSION)).astype(np.float32)
        self.vectors: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        close = numbers.standard_normal((QUERIES, DIMENSION)).astype(np.float32) * 0.02
        self.queries = (self.vectors[:QUERIES] + close).astype(np.float32)

    def labels(self, number: int) -> dict[str, str]:
        return labels(model=f"m{number % MODELS}", tier=f"t{number // MODELS % TIERS}")

    def point(self, number: int) -> dict[str, Any]:
        return point(
            number,
            as_base64(self.vectors[number]),
            labels=self.labels(number),
            payload={"question": f"Question {number}?", "answer": "x" * 1000},
            expires_at=1 if number % 3 == 0 else FAR_FUTURE,
        )

    def nearest(self, query: NDArray[np.float32], like: int) -> list[int]:
        """By brute force: the live entries with the labels of `like`, the nearest first."""
        wanted = [
            number
            for number in range(ENTRIES)
            if number % 3 and self.labels(number) == self.labels(like)
        ]
        scores = self.vectors[wanted] @ query
        return [wanted[place] for place in np.argsort(-scores, kind="stable")[:LIMIT]]


def as_base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Iterator[Alone]:
    """The service with all entries in it, and an hour until its first sweep."""
    folder: Path = tmp_path_factory.mktemp("vector")
    with Alone(folder, TRACEMYPODS_VECTOR_SWEEP_SECONDS="3600") as alone, alone.caller() as client:
        ask = Caller(client, SPACE.name)
        for first in range(0, ENTRIES, MAX_POINTS):
            last = min(first + MAX_POINTS, ENTRIES)
            ask.upsert(*(corpus.point(number) for number in range(first, last)))
        yield alone


def test_recall_is_one(alone: Alone, corpus: Corpus) -> None:
    with alone.caller() as client:
        ask = Caller(client, SPACE.name)
        for number, query in enumerate(corpus.queries):
            found = ask.ids(as_base64(query), labels=corpus.labels(number), limit=LIMIT)
            assert found == corpus.nearest(query, number)


def test_memory_stays_below_200_mib(alone: Alone) -> None:
    taken = memory.proportional(alone.pid) / MIB
    print(f"\nproportional set size with {ENTRIES} entries: {taken:.0f} MiB")  # noqa: T201
    assert taken <= 200
