"""The engine `sentence-transformers`: any of its models, on a GPU if there is one.

Needs the extra `tracemypods-embedding[sentence-transformers]`, which brings torch along.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.settings import SettingsError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

CHARACTERS_A_TOKEN = 20
"""A text with so many characters for each token of the window is cut before it is looked at."""

ResultT = TypeVar("ResultT")


class SentenceTransformers:
    """Runs a model in one thread of its own."""

    parallel = 1

    def __init__(self, model: str | None, threads: int) -> None:
        """Raises SettingsError when the extra is not installed."""
        if importlib.util.find_spec("sentence_transformers") is None:
            raise SettingsError(
                "the engine sentence-transformers is not installed: "
                "install tracemypods-embedding[sentence-transformers]"
            )
        self._name = model or DEFAULT_MODEL
        self._threads = threads
        self._thread = ThreadPoolExecutor(1, "model")
        self.model = self._name.rstrip("/").rpartition("/")[2].lower()
        self.space = f"{self.model}.torch.float32"

    async def start(self) -> int:
        """Load the model and run it once. Returns the dimensions of vectors."""
        await self._run(self._load)
        vectors = await self.embed(await self.prepare(["warm-up"]))
        return vectors.shape[1]

    async def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        """Count the texts' tokens."""
        return await self._run(self._prepare, texts)

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        """Run the model once."""
        return await self._run(self._embed, texts)

    async def close(self) -> None:
        """Wait for the run that is going on."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _load(self) -> None:
        # Here, since importing torch takes seconds.
        torch: Any = importlib.import_module("torch")
        package: Any = importlib.import_module("sentence_transformers")
        torch.set_num_threads(self._threads)
        try:
            self._loaded: Any = package.SentenceTransformer(self._name)
        except OSError as error:
            raise Unavailable(
                f"The model {self._name} cannot be loaded: {error}", code="embedding_not_ready"
            ) from error
        self._window = int(self._loaded.get_max_seq_length() or 512)

    def _prepare(self, texts: Sequence[str]) -> list[Prepared]:
        cut = [text[: self._window * CHARACTERS_A_TOKEN] for text in texts]
        counts = [len(ids) for ids in self._loaded.tokenizer(cut, verbose=False)["input_ids"]]
        return [
            Prepared(
                short,
                min(count, self._window),
                count > self._window or len(short) < len(text),
            )
            for text, short, count in zip(texts, cut, counts, strict=True)
        ]

    def _embed(self, texts: Sequence[Prepared]) -> Vectors:
        found = self._loaded.encode(
            [text.text for text in texts],
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(found, np.float32)

    async def _run(self, work: Callable[..., ResultT], *arguments: Any) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
