"""The engine `openai`: any API with OpenAI's `POST /v1/embeddings`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, SecretStr, ValidationError

from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.http import DependencyError, DependencyTimeout, HttpClient

DEFAULT_MODEL = "text-embedding-3-small"
WINDOW_CHARACTERS = 24_000
"""OpenAI's models read 8,191 tokens, and refuse what is longer. Few texts have under three
characters a token; those that do and are refused are refused by name."""

CHARACTERS_A_TOKEN = 4
CONNECT_SECONDS = 1.0
FAILED_SECONDS = 1.0
"""After it did not answer, calls fail at once for so long."""

WARM_UP = "Is it there?"


class _Embedding(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Embedding]


class OpenAI:
    """Calls the API. Nothing is repeated; whoever asked us may."""

    def __init__(
        self,
        url: str,
        model: str | None,
        key: SecretStr | None,
        *,
        seconds: float,
        parallel: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model or DEFAULT_MODEL
        self.space = f"{self.model}.openai"
        self.parallel = parallel
        self._client = HttpClient(
            "embeddings API", url, connect=CONNECT_SECONDS, total=seconds, bearer=key
        )
        self._clock = clock
        self._failed_until = float("-inf")
        self._slow = False

    async def start(self) -> int:
        """Ask for one vector. Returns its dimensions; raises Unavailable."""
        vectors = await self.embed(await self.prepare([WARM_UP]))
        return vectors.shape[1]

    async def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        """Cut texts at what the API reads."""
        return [_prepared(text) for text in texts]

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        """One call.

        Raises Unavailable: `embedding_api_down`, `_timeout`, `_refused` or `_wrong`.
        """
        if self._clock() < self._failed_until:
            raise self._no_answer()
        body = {"model": self.model, "input": [text.text for text in texts]}
        try:
            status, answer = await self._client.call("POST", "/embeddings", json=body)
        except DependencyError as error:
            self._slow = isinstance(error, DependencyTimeout)
            self._failed_until = self._clock() + FAILED_SECONDS
            raise self._no_answer() from error
        if status != 200:
            raise Unavailable(
                f"The embeddings API refused the texts (status {status}).",
                code="embedding_api_refused",
            )
        return _vectors(answer, len(texts))

    def _no_answer(self) -> Unavailable:
        said = "does not answer in time" if self._slow else "cannot be reached"
        return Unavailable(
            f"The embeddings API {said}. Try again in a few seconds.",
            code="embedding_api_timeout" if self._slow else "embedding_api_down",
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _prepared(text: str) -> Prepared:
    cut = text[:WINDOW_CHARACTERS]
    return Prepared(cut, len(cut) // CHARACTERS_A_TOKEN + 1, len(cut) < len(text))


def _vectors(answer: bytes, count: int) -> Vectors:
    """The vectors of an answer in the order of the texts. Raises Unavailable `_wrong`."""
    try:
        data = _Answer.model_validate_json(answer).data
        if sorted(one.index for one in data) != list(range(count)):
            raise ValueError("vectors are missing")
        ordered = sorted(data, key=lambda one: one.index)
        vectors = np.array([one.embedding for one in ordered], np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if vectors.ndim != 2 or not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ValueError("vectors have no length")
    except (ValidationError, ValueError) as error:
        raise Unavailable(
            "The embeddings API gave an answer that makes no sense.", code="embedding_api_wrong"
        ) from error
    return vectors / lengths
