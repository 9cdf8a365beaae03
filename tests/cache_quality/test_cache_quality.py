"""The proof of the semantic cache: what gate and cosine make of pairs written for it."""

from __future__ import annotations

import json

import pytest

from . import baseline, cosines
from .__main__ import DOCUMENT, PICTURE, between
from .crossed import false_hits
from .measure import PEERS, Measured, count
from .pairs import UNRELATED, Pair, load
from .picture import draw
from .report import by_class, crossed, curve, summary

PAIRS = load()
LEAST_PAIRS, LEAST_NEAR_MISSES, LEAST_UNRELATED = 600, 300, 200
FALSE_HITS_APART = 0.01


@pytest.fixture(scope="module")
def measured() -> Measured:
    return Measured(cosines.load(PAIRS))


def _kept_apart(*, held_out: bool, same: bool) -> list[Pair]:
    return [pair for pair in PAIRS if pair.held_out == held_out and pair.same == same]


def test_there_are_enough_pairs() -> None:
    unrelated = [pair for pair in PAIRS if pair.group == UNRELATED]
    assert len(PAIRS) - len(unrelated) >= LEAST_PAIRS
    assert sum(pair.near_miss for pair in PAIRS) >= LEAST_NEAR_MISSES
    assert len(unrelated) >= LEAST_UNRELATED


def test_no_pair_is_there_twice() -> None:
    assert len({frozenset((pair.one, pair.other)) for pair in PAIRS}) == len(PAIRS)


def test_no_false_hit_among_the_pairs_tuned_to(measured: Measured) -> None:
    hits = measured.gated()
    assert [pair for pair in _kept_apart(held_out=False, same=False) if hits(pair)] == []


def test_hardly_a_false_hit_among_the_pairs_kept_apart(measured: Measured) -> None:
    near_misses = [pair for pair in _kept_apart(held_out=True, same=False) if pair.near_miss]
    assert count(near_misses, measured.gated()).share <= FALSE_HITS_APART


def test_no_unrelated_pair_is_a_hit(measured: Measured) -> None:
    assert count([p for p in PAIRS if p.group == UNRELATED], measured.gated()).hits == 0


def test_no_question_is_taken_for_one_of_another_pair() -> None:
    assert false_hits(PAIRS) == []


def test_there_are_as_many_hits_as_there_were(measured: Measured) -> None:
    least = json.loads(baseline.FILE.read_text())
    hits = baseline.hits(measured)
    assert all(hits[name] >= least[name] for name in least), f"{hits}, where {least} were"


@pytest.mark.parametrize("held_out", [False, True])
def test_at_least_half_are_hits_and_more_than_by_a_strict_cosine(
    measured: Measured, held_out: bool
) -> None:
    paraphrases = _kept_apart(held_out=held_out, same=True)
    gated = count(paraphrases, measured.gated())
    assert gated.share >= 0.5
    assert gated.hits > count(paraphrases, measured.cosine_alone(max(PEERS))).hits


def test_the_document_is_current(measured: Measured) -> None:
    """After a change: `make cache-report`."""
    text = DOCUMENT.read_text()
    for name, table in (
        ("summary", summary(measured)),
        ("crossed", crossed(measured)),
        ("classes", by_class(measured)),
        ("curve", curve(measured)),
    ):
        text = between(text, name, table)
    assert text == DOCUMENT.read_text()
    assert PICTURE.read_text() == draw(measured)
