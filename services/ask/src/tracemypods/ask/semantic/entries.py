"""What the vector service holds of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracemypods.ask.cache.store import StoredAnswer

SHARED = "shared"
"""The scope of entries that an operator has approved: everybody of their tier meets them."""

REMOVED = "removed"
"""The scope of what an operator took out of SHARED, which does not come back."""


@dataclass(frozen=True)
class Entry:
    """A question with its answer. `fields` are compared one by one, `expires_at` is Unix time.

    `by_operator` says that the question is in an operator's words, and not in a caller's.
    """

    id: str
    question: str
    answer: StoredAnswer
    fields: Mapping[str, str]
    expires_at: float
    by_operator: bool = False

    @property
    def scope(self) -> str:
        """Whose it is: a token's, or SHARED or REMOVED."""
        return self.fields["scope"]

    @property
    def shown_question(self) -> str | None:
        """The question, where whoever gets the answer may see it: not in another caller's words."""
        return self.question if self.scope != SHARED or self.by_operator else None


@dataclass(frozen=True)
class Candidate:
    """An entry near a question. `similarity` is the cosine."""

    entry: Entry
    similarity: float


@dataclass(frozen=True)
class Page:
    """Some entries; `cursor` asks for the next ones, if there are more."""

    entries: list[Entry]
    cursor: str | None
