"""The interface that engines have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row a text. Rows have length 1."""


@dataclass(frozen=True)
class Prepared:
    """A text as an engine wants it."""

    text: str
    tokens: int
    """What the model reads of it; an estimate where only the model knows."""
    truncated: bool
    ids: Sequence[int] = ()
    """The tokens' numbers, for an engine that needs them."""


class Engine(Protocol):
    """Turns texts into vectors."""

    model: str
    """What callers know the model as."""
    space: str
    """Model, engine and precision: vectors of two spaces may not be compared."""
    parallel: int
    """How many runs go on at a time."""

    async def start(self) -> int:
        """Load what is needed and make one vector; returns its dimensions.

        Raises Unavailable when it has to be tried again, and SettingsError when that is no use.
        """
        ...

    async def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        """Make texts ready."""
        ...

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        """One vector for each text, in the same order. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
