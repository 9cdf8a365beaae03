"""`POST /api/embedding`: texts to vectors, in the shapes of OpenAI's `/v1/embeddings`."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from tracemypods.contracts.embeddings import PATH, EmbeddingList, EmbeddingRequest
from tracemypods.embedding.batching import Answer, Embedded
from tracemypods.embedding.departure import CLIENT_CLOSED_REQUEST, CallerLeft, unless_left
from tracemypods.embedding.state import State, StateDep
from tracemypods.kit import deadlines
from tracemypods.kit.errors import FieldError, InvalidRequest, NotFound, Unavailable, responses
from tracemypods.kit.internal import calls_from

router = APIRouter(tags=["embedding"])

DIGITS = 8
"""Decimals of a number in JSON: closer than 32-bit floats of a vector of length 1 are."""


@router.post(
    PATH,
    response_model=EmbeddingList,
    responses=responses(400, 401, 403, 404, 413, 422, 503),
    dependencies=[Depends(calls_from("ask", "vector"))],
)
async def embed(request: Request, body: EmbeddingRequest, state: StateDep) -> Response:
    """Turn texts into vectors."""
    texts = body.texts
    check(body, len(texts), state)
    await state.check()
    seconds = deadlines.at_most(state.settings.request_seconds)
    try:
        async with asyncio.timeout(seconds):
            answer = await unless_left(request.receive, state.batcher.embed(texts))
    except CallerLeft:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    except TimeoutError:
        raise Unavailable(
            f"The texts had no vectors within {seconds or 0:.1f} s.", code="embedding_timeout"
        ) from None
    return Response(
        to_json(_body(answer, state, as_base64=body.encoding_format == "base64")),
        media_type="application/json",
        headers={
            "X-Queue-Milliseconds": f"{answer.queue * 1000:.1f}",
            "X-Inference-Milliseconds": f"{answer.inference * 1000:.1f}",
            "X-Batch-Size": str(answer.batch),
            "X-Cached-Texts": str(answer.cached),
        },
    )


def check(body: EmbeddingRequest, texts: int, state: State) -> None:
    """Refuse what asks for too much, or for what is not served. Raises InvalidRequest, NotFound."""
    limit = state.settings.max_texts
    if texts > limit:
        _refuse("input", f"{texts} texts are too many: one call may bring {limit}")
    if body.model is not None and body.model != state.engine.model:
        raise NotFound(
            f"There is no model {body.model!r}. The one that is served is {state.engine.model}.",
            code="model_unknown",
        )
    if body.dimensions is not None and state.dimensions not in (0, body.dimensions):
        _refuse("dimensions", f"{state.engine.model} has {state.dimensions}")


def _refuse(field: str, message: str) -> None:
    raise InvalidRequest(
        f"The request is not valid: {field}: {message}.",
        errors=[FieldError(field=field, message=message)],
    )


def _body(answer: Answer, state: State, *, as_base64: bool) -> dict[str, Any]:
    tokens = sum(one.tokens for one in answer.found)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _base64(one) if as_base64 else _numbers(one),
                "truncated": one.truncated,
            }
            for index, one in enumerate(answer.found)
        ],
        "model": state.engine.model,
        "space": state.engine.space,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(one: Embedded) -> str:
    return base64.b64encode(one.vector.astype("<f4", copy=False).tobytes()).decode()


def _numbers(one: Embedded) -> list[float]:
    return np.round(one.vector.astype(np.float64), DIGITS).tolist()
