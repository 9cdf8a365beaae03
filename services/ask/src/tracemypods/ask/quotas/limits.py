"""The limits: of a token by its plan, and of a client network for all free tokens it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0, le=10**12)]


class LimitsIn(BaseModel):
    """Limits as an operator sets them; what is left out keeps its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Positive | None = None
    tokens_per_day: Positive | None = None
    concurrent: Positive | None = None


@dataclass(frozen=True)
class Limits:
    """Limits that hold. Tokens are those of questions and answers; days are UTC's."""

    requests_per_minute: int
    tokens_per_day: int
    concurrent: int

    def changed(self, wanted: LimitsIn | None) -> Limits:
        """These limits, with what an operator wants otherwise."""
        if wanted is None:
            return self
        return Limits(
            wanted.requests_per_minute or self.requests_per_minute,
            wanted.tokens_per_day or self.tokens_per_day,
            wanted.concurrent or self.concurrent,
        )


FREE = Limits(requests_per_minute=20, tokens_per_day=50_000, concurrent=2)
PREMIUM = Limits(requests_per_minute=120, tokens_per_day=1_000_000, concurrent=8)
NETWORK = Limits(requests_per_minute=60, tokens_per_day=200_000, concurrent=6)
LOCAL = Limits(requests_per_minute=1_000_000, tokens_per_day=10**9, concurrent=10_000)
"""On one's own machine nothing is scarce but the model, which has a queue."""


@dataclass(frozen=True)
class AllLimits:
    """What holds for whom. `network` counts only what free tokens ask."""

    free: Limits
    premium: Limits
    network: Limits
