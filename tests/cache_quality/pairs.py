"""The labelled pairs of questions, and which of them nobody may look at while tuning."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("pairs")
UNRELATED, UNSEEN = "unrelated", "unseen"
APART = 5
"""One pair of so many is kept apart."""


@dataclass(frozen=True)
class Pair:
    """Two questions, and whether an answer to one is an answer to the other.

    `group` is the class of what differs, by the name of the file.
    """

    group: str
    one: str
    other: str
    same: bool
    held_out: bool

    @property
    def near_miss(self) -> bool:
        """Whether the questions are alike and yet not the same."""
        return not self.same and self.group != UNRELATED


def digest(one: str, other: str) -> str:
    """What names a pair, whichever of its questions comes first."""
    return hashlib.sha256("\n".join(sorted((one, other))).encode()).hexdigest()


def load() -> list[Pair]:
    """All pairs. A file may say for all of its pairs whether they are kept apart."""
    pairs: list[Pair] = []
    for path in sorted(FOLDER.glob("*.toml")):
        found = tomllib.loads(path.read_text())
        for label in ("different", "same"):
            for one, other in found.get(label, []):
                by_hash = int(digest(one, other), 16) % APART == 0
                held_out = found.get("held_out", by_hash)
                group = found.get("class", path.stem)
                pairs.append(Pair(group, one, other, label == "same", held_out))
    return pairs
