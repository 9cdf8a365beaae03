"""Vectors and what they stand for: what the vector service takes and answers.

Entries lie in collections. A collection's name is `<kind>.<space>.<dimension>`: what is kept there,
which model, engine and precision made the vectors, and how many numbers each has. So vectors that
must not be compared have no way to meet.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

PATH = "/api/vector/{collection}"
"""Below it: `/upsert`, `/search`, `/list`, `/delete`, all with POST."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "answers": ("scope", "model", "weights", "params", "system", "tier", "template", "epoch"),
}
"""The kinds of collections, and the labels that every entry of one has. A search names all of them,
so that an answer never gets to where it was not given."""

MAX_DIMENSION = 4096
MAX_POINTS = 64
"""How many entries one call may bring, and how many ids it may delete."""
MAX_TEXT = 8192
MAX_PAYLOAD_BYTES = 64 * 1024
MAX_MILLISECONDS = 2**53 - 1
"""Engines compare times as 64-bit floats, which are exact up to here."""

_NAME = re.compile(
    r"(?P<kind>[a-z]{1,20})\.(?P<space>[a-z0-9][a-z0-9.-]{0,150})\.(?P<dimension>[1-9][0-9]{0,3})"
)


@dataclass(frozen=True)
class Collection:
    """One collection; `space` in the spelling that its name has."""

    kind: str
    space: str
    dimension: int

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.kind}.{self.space}.{self.dimension}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that each of its entries has."""
        return KINDS[self.kind]


def collection(kind: str, space: str, dimension: int) -> Collection:
    """The collection for vectors of a space, as the embedding service names it."""
    return Collection(kind, spelled(space), dimension)


def spelled(space: str) -> str:
    """A space as it stands in names; two spaces never become the same."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", space.lower()).strip("-.")[:100] or "space"
    if plain == space:
        return plain
    return f"{plain}-{hashlib.sha256(space.encode()).hexdigest()[:8]}"


def parse_name(name: str) -> Collection:
    """The collection that a name stands for.

    Raises ValueError, whose message says what is wrong, for what is no name of one.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError("a collection is called <kind>.<model, engine, precision>.<dimension>")
    if found["kind"] not in KINDS:
        raise ValueError(f"there is no kind of collection but {', '.join(KINDS)}")
    if int(found["dimension"]) > MAX_DIMENSION:
        raise ValueError(f"vectors have at most {MAX_DIMENSION} numbers")
    return Collection(found["kind"], found["space"], int(found["dimension"]))


def _decoded(value: Any) -> Any:
    """Base64 of little-endian 32-bit floats as a list; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return array("f", base64.b64decode(value, validate=True)).tolist()
    except (binascii.Error, ValueError):
        raise ValueError("this is not the base64 of 32-bit floats") from None


def _of_length_one(vector: list[float]) -> list[float]:
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        raise ValueError("a vector needs a direction: its numbers are all 0, or too large")
    return [number / length for number in vector]


Vector = Annotated[
    list[Annotated[float, Field(strict=True, allow_inf_nan=False)]],
    Field(min_length=1, max_length=MAX_DIMENSION, fail_fast=True),
    BeforeValidator(_decoded, json_schema_input_type=list[float] | str),
    AfterValidator(_of_length_one),
]
"""Numbers, or the base64 of little-endian 32-bit floats. Scaled to length 1 when it is read."""

PointId = Annotated[int, Field(strict=True, ge=0, lt=2**64)] | UUID
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Label = Annotated[str, Field(min_length=1, max_length=256)]
Labels = Annotated[dict[Name, Label], Field(max_length=16)]
AnyOf = Annotated[
    list[Label],
    Field(min_length=1, max_length=8),
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=str | list[str],
    ),
]
Wanted = Annotated[dict[Name, AnyOf], Field(max_length=16)]
"""Labels to look for, each with a value, or with several that stand for any of them."""
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=MAX_MILLISECONDS)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]


def _of_64_bits(value: Any) -> Any:
    """Refuse what would be taken for the nearest float."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number needs to fit into 64 bits")
    return value


Scalar = (
    Annotated[str, Field(strict=True)]
    | Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False), BeforeValidator(_of_64_bits)]
    | None
)


def _small(payload: dict[str, Scalar]) -> dict[str, Scalar]:
    size = len(json.dumps(payload, ensure_ascii=False).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{size} bytes are too many: {MAX_PAYLOAD_BYTES} are taken")
    return payload


class _Strict(BaseModel):
    """Refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class _VectorOrText(_Strict):
    """Where something lies: a vector, or a text that the embedding service turns into one."""

    vector: Vector | None = Field(
        None, description="Numbers, or the base64 of little-endian 32-bit floats"
    )
    text: Text | None = Field(None, description="In place of a vector")

    @model_validator(mode="after")
    def _one_of_them(self) -> _VectorOrText:
        if (self.vector is None) is (self.text is None):
            raise ValueError("give either vector or text")
        return self


class Point(_VectorOrText):
    """One entry to be kept. Times are Unix times in milliseconds."""

    id: PointId = Field(description="A UUID, or a whole number below 2^64")
    labels: Labels = Field(description="All labels of the collection's kind; they are searched by")
    payload: Annotated[dict[Name, Scalar], Field(max_length=32), AfterValidator(_small)] = Field(
        default_factory=dict, description="What is kept and given back, and not searched by"
    )
    stored_at: Milliseconds
    expires_at: Milliseconds = Field(description="From then on it is not found any more")


class UpsertRequest(_Strict):
    """Entries to be kept. One with the same id is replaced."""

    points: Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS)]


class Upserted(BaseModel):
    """How many were kept."""

    stored: int


class SearchRequest(_VectorOrText):
    """What is looked for: the nearest entries that have exactly these labels."""

    labels: Wanted = Field(description="All labels of the collection's kind; a list is any of it")
    limit: Annotated[int, Field(strict=True, ge=1, le=100)] = 5
    min_score: Annotated[float, Field(strict=True, ge=-1, le=1)] | None = Field(
        None, description="The least cosine that counts as found"
    )


class Entry(BaseModel):
    """One entry that is kept, without its vector."""

    model_config = ConfigDict(extra="ignore")

    id: int | UUID
    labels: dict[str, str]
    payload: dict[str, Scalar]
    stored_at: int
    expires_at: int


class Match(Entry):
    """One entry that was found; `score` is the cosine."""

    score: float


class Matches(BaseModel):
    """What was found, the nearest first."""

    items: list[Match]


class ListRequest(_Strict):
    """Which entries are listed: those with these ids, or by id all that have these labels."""

    ids: Annotated[list[PointId], Field(min_length=1, max_length=MAX_POINTS)] | None = None
    labels: Wanted = Field(
        default_factory=dict, description="Some or all labels of the collection's kind"
    )
    cursor: PointId | None = Field(None, description="Where the last page said that it goes on")
    limit: Annotated[int, Field(strict=True, ge=1, le=100)] = 20


class Page(BaseModel):
    """Some entries, by id; `cursor` asks for the next ones, if there are more."""

    items: list[Entry]
    cursor: PointId | None = None


class DeleteRequest(_Strict):
    """Which entries are deleted: with these ids, with these labels, or with both."""

    ids: Annotated[list[PointId], Field(min_length=1, max_length=MAX_POINTS)] | None = None
    labels: Annotated[Wanted, Field(min_length=1)] | None = Field(
        None, description="Some or all labels of the collection's kind"
    )

    @model_validator(mode="after")
    def _something(self) -> DeleteRequest:
        if self.ids is None and self.labels is None:
            raise ValueError("give ids or labels")
        return self


class Deleted(BaseModel):
    """How many were there, and are not any more."""

    deleted: int
