"""What gate and cosine make of the pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tracemypods.ask.semantic.gate import Gate
from tracemypods.ask.semantic.timebound import is_timebound

from .pairs import Pair

THRESHOLD = 0.7
"""The least cosine of a hit. The gate decides; this keeps out what it has no idea of."""
PEERS = (0.8, 0.95)
"""Thresholds at which caches that trust the cosine alone are run."""
Z = 1.96
"""For an interval of 95 %."""

Hits = Callable[[Pair], bool]


@dataclass(frozen=True)
class Counted:
    """How many of some pairs are hits."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """The hits' share, 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % for the share, which holds for no hits at all as well."""
        if not self.of:
            return 0.0, 1.0
        centre = self.share + Z * Z / (2 * self.of)
        half = Z * math.sqrt(self.share * (1 - self.share) / self.of + (Z / (2 * self.of)) ** 2)
        whole = 1 + Z * Z / self.of
        return max(0.0, (centre - half) / whole), min(1.0, (centre + half) / whole)


class Measured:
    """The pairs with their cosines and the gate's verdicts."""

    def __init__(self, cosines: dict[Pair, float]) -> None:
        gate = Gate()
        self.pairs: Sequence[Pair] = list(cosines)
        self._cosines = cosines
        self._same = {
            pair: gate.judge(pair.one, pair.other).same
            and not (is_timebound(pair.one) or is_timebound(pair.other))
            for pair in cosines
        }

    def gated(self, threshold: float = THRESHOLD) -> Hits:
        """A hit where the gate agrees, the cosine is large enough, and time changes nothing."""
        return lambda pair: self._same[pair] and self._cosines[pair] >= threshold

    def cosine_alone(self, threshold: float) -> Hits:
        """A hit where the cosine is large enough."""
        return lambda pair: self._cosines[pair] >= threshold


def count(pairs: Iterable[Pair], hits: Hits) -> Counted:
    """How many of the pairs are hits."""
    found = [hits(pair) for pair in pairs]
    return Counted(sum(found), len(found))
