"""The catalogue of models: `config/models.toml`, which operators edit."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from tracemypods.kit.settings import SettingsError

FILE_NAME = "models.toml"

TERMS_VARIABLE = "TRACEMYPODS_ACCEPTED_TERMS"

TEXT = "{text}"
"""Stands in a prompt's pattern for what was said."""

LONGEST_MARK = 40
"""Characters that a pattern may put around a text: the reserve for templates covers no more."""

Tier = Literal["free", "premium"]

Kind = Literal["chat", "base"]
"""`chat` models are trained for conversations, `base` models only continue a text."""

AcceptedTerms = Annotated[
    tuple[str, ...],
    Field(
        validation_alias=TERMS_VARIABLE,
        description="Terms of models' licences that the operator accepts for this site, as a JSON "
        'list such as `["llama2", "gemma"]`; models under other terms are not offered',
    ),
]
"""The setting of every service that reads the catalogue."""

_URL = TypeAdapter(HttpUrl)


def _address(text: str) -> str:
    _URL.validate_python(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""An absolute http or https URL, kept as it was written."""


class CatalogueError(SettingsError):
    """The catalogue cannot be used; the message names the file and each thing that is wrong."""


class Strict(BaseModel):
    """Refuses misspelt keys, so that a setting that is not there cannot be believed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(Strict):
    """Under what terms a model's weights come."""

    name: str
    url: Address
    use_policy: Address | None = Field(
        None, description="What the licence forbids to use the model for"
    )
    notice: str | None = Field(
        None, description="What the licence wants to be shown wherever the model is offered"
    )


class AnswerLimits(Strict):
    """How long answers may be, in tokens."""

    default_answer_tokens: int = Field(gt=0)
    max_answer_tokens: int = Field(gt=0)


def _pattern(text: str) -> str:
    if text.count(TEXT) != 1:
        raise ValueError(f"holds {TEXT} once, where the text goes")
    if len(text) - len(TEXT) > LONGEST_MARK:
        raise ValueError(f"has at most {LONGEST_MARK} characters around {TEXT}")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class PromptTemplate(Strict):
    """How a conversation becomes the text that a base model continues.

    Each question and each answer takes its pattern; the prompt ends with the answer's pattern up
    to where the answer goes. `stop` holds texts at which the answer is over, since a base model
    goes on to write the next question by itself.
    """

    question: Pattern
    answer: Pattern
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1, max_length=4)


class ModelEntry(Strict):
    """One model that the fleet offers. Sizes are in bytes, contexts and answers in tokens."""

    label: str
    notes: str
    tier: Tier
    kind: Kind = "chat"
    size_bytes: int = Field(gt=0, description="Size of the weights on disk, about")
    size_most_bytes: int | None = Field(
        None, gt=0, description="The same of the largest variant, where there are several"
    )
    memory_bytes: int = Field(gt=0, description="Memory that serving it takes, at least")
    memory_most_bytes: int | None = Field(
        None, gt=0, description="The same of the largest variant, or with room to spare"
    )
    gpu: str = Field(description="What a GPU should bring, in words")
    context_tokens: int = Field(gt=0, description="Question, history and answer together")
    limits: AnswerLimits
    licence: Licence
    terms: str | None = Field(
        None, description="Id of the terms that the operator must accept before it is offered"
    )
    source: Address
    template: str = Field(
        description="The chat template that the model server applies; for a base model the name "
        "of a template of this file"
    )
    upstream: str | None = Field(
        None, description="Its name at the model server, where that differs"
    )

    @model_validator(mode="after")
    def _numbers_agree(self) -> ModelEntry:
        limits = self.limits
        if limits.default_answer_tokens > limits.max_answer_tokens:
            raise ValueError("default_answer_tokens is more than max_answer_tokens")
        if limits.max_answer_tokens >= self.context_tokens:
            raise ValueError("max_answer_tokens leaves no room for a question in context_tokens")
        for what in ("size", "memory"):
            most = getattr(self, f"{what}_most_bytes")
            if most is not None and most < getattr(self, f"{what}_bytes"):
                raise ValueError(f"{what}_most_bytes is less than {what}_bytes")
        return self


class Catalogue(Strict):
    """All models, in the order in which they are shown, and the one used when none is named."""

    default: str
    models: dict[str, ModelEntry]
    templates: dict[str, PromptTemplate] = Field(
        default_factory=dict[str, PromptTemplate], description="How base models are prompted"
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Catalogue:
        if self.default not in self.models:
            raise ValueError(f"default names {self.default!r}, which is not among the models")
        for name, entry in self.models.items():
            if entry.kind == "base" and entry.template not in self.templates:
                raise ValueError(
                    f"models.{name}.template names {entry.template!r}, which is not among the "
                    "templates"
                )
        return self

    def prompt_template(self, entry: ModelEntry) -> PromptTemplate | None:
        """How to prompt a base model; None for a chat model, which its server prompts."""
        return self.templates[entry.template] if entry.kind == "base" else None

    def accepting(self, terms: Collection[str]) -> Catalogue:
        """Only the models that are free of terms or under accepted ones.

        Raises ValueError for terms that no model has, and when the default model goes.
        """
        known = {entry.terms for entry in self.models.values() if entry.terms is not None}
        for one in terms:
            if one not in known:
                has = ", ".join(sorted(known)) or "none"
                raise ValueError(f"{TERMS_VARIABLE} names {one!r}; the models' terms are: {has}")
        offered = {
            name: entry
            for name, entry in self.models.items()
            if entry.terms is None or entry.terms in terms
        }
        if self.default not in offered:
            raise ValueError(
                f"default names {self.default!r}, whose terms are not in {TERMS_VARIABLE}"
            )
        return self.model_copy(update={"models": offered})

    def names_for(self, tier: Tier) -> list[str]:
        """The models that a plan may use: premium plans use all."""
        return [
            name for name, entry in self.models.items() if tier == "premium" or entry.tier == "free"
        ]


def load_catalogue(config_dir: Path, accepted_terms: Collection[str] = ()) -> Catalogue:
    """Read `models.toml` from the folder of operators' files, less what may not be offered.

    Raises CatalogueError.
    """
    path = config_dir / FILE_NAME
    try:
        catalogue = Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
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
    try:
        return catalogue.accepting(accepted_terms)
    except ValueError as error:
        raise CatalogueError(f"{path}: {error}") from None
