"""What several tests of the embedding service share."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Sequence

import httpx2
import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.local.testing.http_stub import Answer, Asked, HttpStub
from tracemypods.local.testing.waiting import until

ASK_KEY = SecretStr("ask-to-embedding-" + "k" * 32)
VECTOR_KEY = SecretStr("vector-to-embedding-" + "k" * 32)
EDGE_KEYS = {"ask": ASK_KEY, "vector": VECTOR_KEY}
PATH = "/api/embedding"


def when_ready(client: httpx2.Client) -> None:
    """Wait until the service has made its first vector."""
    until(lambda: client.get("/readyz").status_code == 200)


def vectors(answer: httpx2.Response) -> NDArray[np.float32]:
    """The vectors of an answer, in whichever format."""
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert [one["index"] for one in data] == list(range(len(data)))
    return np.array(
        [
            np.frombuffer(base64.b64decode(one["embedding"]), "<f4")
            if isinstance(one["embedding"], str)
            else one["embedding"]
            for one in data
        ],
        np.float32,
    )


class ApiStub(HttpStub):
    """An API with OpenAI's `/v1/embeddings`. Use as a context manager.

    `status` is what it answers with, after `seconds`; `nonsense` is sent in place of vectors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.seconds = 0.0
        self.nonsense: object = None
        self.respond = self._respond

    @property
    def url(self) -> str:
        """The base of its API."""
        return f"{super().url}/v1"

    def _respond(self, asked: Asked) -> Answer:
        time.sleep(self.seconds)
        data = [
            {"object": "embedding", "index": index, "embedding": [len(text), 3.0, 4.0]}
            for index, text in enumerate(asked.json["input"])
        ]
        answer = {"object": "list", "data": data[::-1]}
        return self.status, answer if self.nonsense is None else self.nonsense


class StubEngine:
    """Makes vectors out of hashes, notes each run, and takes as long as it is told to."""

    model = "stub"
    space = "stub.space"

    def __init__(self, seconds: float = 0.0, parallel: int = 1) -> None:
        self.parallel = parallel
        self.seconds = seconds
        self.runs: list[list[str]] = []
        self.error: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def start(self) -> int:
        return 4

    async def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        return [Prepared(text, len(text), len(text) > 1000) for text in texts]

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        self.runs.append([text.text for text in texts])
        await asyncio.sleep(self.seconds)
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return np.array([stub_vector(text.text) for text in texts])

    async def close(self) -> None:
        pass

    async def has_begun(self, runs: int = 1) -> None:
        """Wait until so many runs have begun."""
        while len(self.runs) < runs:  # noqa: ASYNC110 - it is the next turns of this loop
            await asyncio.sleep(0)


def stub_vector(text: str) -> NDArray[np.float32]:
    """What StubEngine makes of a text."""
    raw = np.frombuffer(hashlib.sha256(text.encode()).digest()[:4], np.uint8).astype(np.float32)
    return np.asarray((raw + 1) / np.linalg.norm(raw + 1), np.float32)
