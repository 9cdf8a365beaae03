"""The catalogue of models: `config/models.toml`, which operators edit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tracemypods.kit.settings import SettingsError

FILE_NAME = "models.toml"

Tier = Literal["free", "premium"]


class CatalogueError(SettingsError):
    """The catalogue cannot be used; the message names the file and each thing that is wrong."""


class Strict(BaseModel):
    """Refuses misspelt keys, so that a setting that is not there cannot be believed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(Strict):
    """Under what terms a model's weights come."""

    name: str
    url: str


class AnswerLimits(Strict):
    """How long answers may be, in tokens."""

    default_answer_tokens: int = Field(gt=0)
    max_answer_tokens: int = Field(gt=0)


class ModelEntry(Strict):
    """One model that the fleet offers."""

    label: str
    notes: str
    tier: Tier
    size_bytes: int = Field(gt=0, description="Size of the weights on disk")
    memory_bytes: int = Field(gt=0, description="Memory that serving it takes, about")
    context_tokens: int = Field(gt=0, description="Question, history and answer together")
    limits: AnswerLimits
    licence: Licence
    source: str
    template: str = Field(description="The chat template that the model server applies")
    upstream: str | None = Field(
        None, description="Its name at the model server, where that differs"
    )


class Catalogue(Strict):
    """All models, in the order in which they are shown, and the one used when none is named."""

    default: str
    models: dict[str, ModelEntry]

    @model_validator(mode="after")
    def _default_is_listed(self) -> Catalogue:
        if self.default not in self.models:
            raise ValueError(f"default names {self.default!r}, which is not among the models")
        return self

    def names_for(self, tier: Tier) -> list[str]:
        """The models that a plan may use: premium plans use all."""
        return [
            name for name, entry in self.models.items() if tier == "premium" or entry.tier == "free"
        ]


def load_catalogue(config_dir: Path) -> Catalogue:
    """Read `models.toml` from the folder of operators' files.

    Raises CatalogueError.
    """
    path = config_dir / FILE_NAME
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise CatalogueError("\n".join(lines)) from None
