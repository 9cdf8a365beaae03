"""Every question of the pairs against every other."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from tracemypods.ask.semantic.gate import Gate
from tracemypods.ask.semantic.reading import Reading, read

from .pairs import Pair

ALSO_SAME = Path(__file__).with_name("also_same.toml")


class Groups:
    """Questions that the labels say are the same, directly or by way of others."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._leads: dict[str, str] = {}
        also = tomllib.loads(ALSO_SAME.read_text())["same"]
        for first, *others in [[pair.one, pair.other] for pair in pairs if pair.same] + also:
            for other in others:
                self._leads[self.of(other)] = self.of(first)

    def of(self, question: str) -> str:
        """The question that stands for all that are the same."""
        while (lead := self._leads.get(question, question)) != question:
            question = lead
        return question


def questions(pairs: Sequence[Pair]) -> list[str]:
    """All questions, each once."""
    return sorted({text for pair in pairs for text in (pair.one, pair.other)})


def false_hits(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Questions that the gate takes for the same and the labels do not.

    Only equal readings can be the same, so that not every pair has to be judged.
    """
    gate, groups = Gate(), Groups(pairs)
    read_alike: dict[Reading, list[str]] = {}
    for question in questions(pairs):
        reading = read(question)
        if reading is not None:
            bare = Reading(reading.english, reading.tokens, frozenset())
            read_alike.setdefault(bare, []).append(question)
    return [
        (one, other)
        for alike in read_alike.values()
        for one, other in combinations(alike, 2)
        if groups.of(one) != groups.of(other) and gate.judge(one, other).same
    ]
