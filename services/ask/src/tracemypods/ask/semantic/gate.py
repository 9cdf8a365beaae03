"""The gate: whether two questions ask the same, judged by plain rules.

A cosine can't tell "enable" from "disable". The gate reads both questions (`reading`) and lets its
checks name what differs. Whatever no check understands must be equal, so a word that no table knows
makes a miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracemypods.ask.semantic.opposites import opposite
from tracemypods.ask.semantic.reading import Reading, read
from tracemypods.ask.semantic.tables import words


@dataclass(frozen=True)
class Verdict:
    """Whether two questions ask the same; `reason` names the check that says no."""

    same: bool
    reason: str = ""


class Judge(Protocol):
    """What can compare two questions: the gate, a cross-encoder, or several in a row."""

    def judge(self, asked: str, stored: str) -> Verdict:
        """Whether the answer to `stored` answers `asked`."""
        ...


Check = Callable[[Reading, Reading], bool]
"""Whether two readings agree in what the check looks at."""


class Gate:
    """The judge that the semantic cache trusts."""

    def judge(self, asked: str, stored: str) -> Verdict:
        """Whether the answer to `stored` answers `asked`. Symmetric, and never raises."""
        one, other = read(asked), read(stored)
        if one is None or other is None:
            return Verdict(False, "unjudged")
        for reason, agrees in CHECKS:
            if not agrees(one, other):
                return Verdict(False, reason)
        return Verdict(True)


class InOrder:
    """Several judges, each of which must agree; an expensive one comes last."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges

    def judge(self, asked: str, stored: str) -> Verdict:
        """The first verdict that is against it, or that all agree."""
        for judge in self._judges:
            verdict = judge.judge(asked, stored)
            if not verdict.same:
                return verdict
        return Verdict(bool(self._judges))


def _same_language(one: Reading, other: Reading) -> bool:
    return one.english == other.english


def _same_of_kind(*prefixes: str) -> Check:
    """A check that the tokens of a kind agree, in their order."""

    def agrees(one: Reading, other: Reading) -> bool:
        return [token for token in one.tokens if token.startswith(prefixes)] == [
            token for token in other.tokens if token.startswith(prefixes)
        ]

    return agrees


def _same_negation(one: Reading, other: Reading) -> bool:
    return [token for token in one.tokens if token in NEGATIONS] == [
        token for token in other.tokens if token in NEGATIONS
    ]


def _no_opposites(one: Reading, other: Reading) -> bool:
    return not any(
        opposite(word, counterpart)
        for word in _only_in(one, other)
        for counterpart in _only_in(other, one)
    )


def _same_names(one: Reading, other: Reading) -> bool:
    names = one.names | other.names
    return not (names & {*_only_in(one, other), *_only_in(other, one)})


def _same_words(one: Reading, other: Reading) -> bool:
    return Counter(one.tokens) == Counter(other.tokens)


def _same_direction(one: Reading, other: Reading) -> bool:
    return one.tokens == other.tokens


def _only_in(one: Reading, other: Reading) -> list[str]:
    return list((Counter(one.tokens) - Counter(other.tokens)).keys())


NEGATIONS = words("""
    not no never without none nothing nobody nor neither except excluding instead hardly rarely
    unless but
    """)
CHECKS: list[tuple[str, Check]] = [
    ("language", _same_language),
    ("code", _same_of_kind("c:")),
    ("quotes", _same_of_kind("q:")),
    ("dates", _same_of_kind("d:")),
    ("units", _same_of_kind("u:")),
    ("numbers", _same_of_kind("#", "op:")),
    ("names", _same_of_kind("n:")),
    ("negation", _same_negation),
    ("opposites", _no_opposites),
    ("names", _same_names),
    ("words", _same_words),
    ("direction", _same_direction),
]
"""The checks by their names. The last two leave nothing that may differ; those before say why."""
