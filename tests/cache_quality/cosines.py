"""How near the questions of each pair lie to each other, by the embedder that the cache uses.

The cosines are kept in a file, so that neither the test nor the report needs the embedder. The
command computes them again where the embedding service is installed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .pairs import Pair, digest

FILE = Path(__file__).with_name("cosines.json")
NAME_LENGTH = 16
"""Hex digits of a pair's digest that name it in the file."""
BATCH = 32
ENGINE = "tracemypods.embedding.engines.minilm"


class Embedder(Protocol):
    """Turns texts into vectors of length 1."""

    name: str

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One vector for each text, in the same order."""
        ...


class EngineOfTheService:
    """The embedding service's own engine, without the service."""

    def __init__(self) -> None:
        """Raises ImportError where the service is not installed."""
        self._engine: Any = importlib.import_module(ENGINE).MiniLM(threads=1)
        self.name = self._engine.space

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One vector for each text."""
        return asyncio.run(self._embed(texts))

    async def _embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        await self._engine.start()
        vectors: list[Sequence[float]] = []
        for start in range(0, len(texts), BATCH):
            prepared = await self._engine.prepare(texts[start : start + BATCH])
            vectors += (await self._engine.embed(prepared)).tolist()
        await self._engine.close()
        return vectors


def compute(pairs: Sequence[Pair], embedder: Embedder) -> dict[str, float]:
    """The cosine of each pair, by the pair's name."""
    texts = sorted({text for pair in pairs for text in (pair.one, pair.other)}, key=len)
    vectors = dict(zip(texts, embedder.embed(texts), strict=True))
    cosines: dict[str, float] = {}
    for pair in pairs:
        one, other = vectors[pair.one], vectors[pair.other]
        cosine = sum(a * b for a, b in zip(one, other, strict=True))
        cosines[_name(pair)] = round(cosine, 4)
    return dict(sorted(cosines.items()))


def save(cosines: dict[str, float], embedder: Embedder) -> None:
    """Write the file."""
    FILE.write_text(json.dumps({"embedder": embedder.name, "cosines": cosines}, indent=0) + "\n")


def load(pairs: Sequence[Pair]) -> dict[Pair, float]:
    """The cosines of the file. Raises KeyError for a pair that it does not know."""
    cosines = json.loads(FILE.read_text())["cosines"]
    return {pair: cosines[_name(pair)] for pair in pairs}


def _name(pair: Pair) -> str:
    return digest(pair.one, pair.other)[:NAME_LENGTH]
