"""Texts to vectors: what the embedding service takes and answers, and a client for it.

The shapes are those of OpenAI's `POST /v1/embeddings`, with three fields more in the answer:
`space` for the whole of it, `truncated` for each text.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tracemypods.kit.errors import Problem, ProblemDocument, Unavailable
from tracemypods.kit.http import DependencyError, HttpClient

PATH = "/api/embedding"

Text = Annotated[str, Field(min_length=1)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class EmbeddingRequest(BaseModel):
    """One text or several. (OpenAI's lists of token numbers are not taken.)"""

    model_config = ConfigDict(extra="forbid")

    # One text becomes a list before it is checked, so that callers know the place of an error.
    input: Annotated[
        list[Text],
        Field(min_length=1),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    ] = Field(description="One text, or a list of them; none may be empty")
    model: str | None = Field(None, description="The model that is served, when it is named at all")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or the base64 of little-endian 32-bit floats"
    )
    dimensions: int | None = Field(None, gt=0, description="What the model has, when it is named")
    user: str | None = Field(None, description="Taken as OpenAI does, and not used")

    @property
    def texts(self) -> list[str]:
        """The texts in their order."""
        return self.input


class Embedding(BaseModel):
    """One text's vector, of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    truncated: bool = Field(
        False, description="The text is longer than the model's window, and its end was not read"
    )


class Usage(BaseModel):
    """How many tokens the model read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors, in the order of the texts."""

    model_config = ConfigDict(extra="ignore")

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    space: str = Field(
        "",
        description="Names model, engine and precision. Only vectors of one space may be compared, "
        "so it belongs into the name of the collection that holds them",
    )
    usage: Usage


@dataclass(frozen=True)
class Vectors:
    """What a client gets: vectors in the order of its texts, and which texts were cut."""

    model: str
    space: str
    vectors: list[array[float]]
    truncated: list[bool]
    tokens: int


class EmbeddingClient:
    """Calls the embedding service, with the key of the caller's edge in its HttpClient."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def embed(
        self, texts: Sequence[str], model: str | None = None, dimensions: int | None = None
    ) -> Vectors:
        """The vectors of texts, as 32-bit floats. What is named must be what is served.

        Raises Unavailable when the service does not answer in time, is busy or is not ready; its
        `code` is the service's own where it said one, else `embedding_unavailable`. Raises another
        Problem, as the service put it, when it refuses the texts.
        """
        body: dict[str, object] = {"input": list(texts), "encoding_format": "base64"}
        if model is not None:
            body["model"] = model
        if dimensions is not None:
            body["dimensions"] = dimensions
        try:
            status, answer = await self._client.call("POST", PATH, json=body)
            if status != 200:
                raise _refusal(status, answer)
            found = EmbeddingList.model_validate_json(answer)
            vectors = [_floats(one.embedding) for one in found.data]
            if len(vectors) != len(texts):
                raise ValueError("vectors are missing")
        except (DependencyError, ValidationError, ValueError) as error:
            raise Unavailable(
                "The embedding service does not answer at the moment. Try again in a few seconds.",
                code="embedding_unavailable",
            ) from error
        truncated = [one.truncated for one in found.data]
        return Vectors(found.model, found.space, vectors, truncated, found.usage.total_tokens)


def _refusal(status: int, answer: bytes) -> Problem:
    """What the service said. Raises ValidationError when it is no problem document."""
    said = ProblemDocument.model_validate_json(answer)
    if status >= 500:
        return Unavailable(said.detail, code=said.code)
    return Problem(said.detail, status=status, code=said.code, errors=said.errors or ())


def _floats(embedding: list[float] | str) -> array[float]:
    if not isinstance(embedding, str):
        return array("f", embedding)
    try:
        return array("f", base64.b64decode(embedding, validate=True))
    except binascii.Error:
        raise ValueError("a vector is not base64") from None
