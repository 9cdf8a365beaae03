"""What the semantic cache does, for each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["off", "shadow", "on"]
"""`shadow` looks and notes what it would have given, and the model answers."""


@dataclass(frozen=True)
class Modes:
    """The mode of all models, and of those for which another one holds."""

    default: Mode
    models: Mapping[str, Mode] = field(default_factory=dict[str, Mode])

    def of(self, model: str) -> Mode:
        """The mode of a model."""
        return self.models.get(model, self.default)

    @property
    def are_off(self) -> bool:
        """Whether there is nothing to be done for any model."""
        return {self.default, *self.models.values()} == {"off"}
