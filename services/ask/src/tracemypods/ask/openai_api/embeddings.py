"""`POST /v1/embeddings`: vectors for token holders, made by the embedding service."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from tracemypods.ask.cache.answer_cache import Wanted
from tracemypods.ask.quotas.sizes import BYTES_PER_TOKEN
from tracemypods.ask.state import StateDep
from tracemypods.contracts.embeddings import EmbeddingRequest
from tracemypods.kit.addresses import network_of
from tracemypods.kit.errors import NotFound

router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/embeddings")
async def embeddings(
    body: EmbeddingRequest,
    request: Request,
    response: Response,
    state: StateDep,
    authorization: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Turn texts into vectors. They count as tokens, as questions do."""
    credential = state.callers.credential(authorization)
    if state.embedder is None:
        await state.callers.recognise(credential)
        raise NotFound("There is no embedding service here.", code="embeddings_off")
    likely = sum(len(text.encode()) for text in body.texts) // BYTES_PER_TOKEN + len(body.texts)
    network = network_of(request, state.settings)
    entry = await state.entrance.enter(credential, network, likely, Wanted())
    used = 0
    try:
        made = await state.embedder.embed(body.texts, model=body.model, dimensions=body.dimensions)
        used = made.tokens
    finally:
        if entry.lease is not None:
            entry.lease.settle(used)
    response.headers.update(entry.headers)
    as_base64 = body.encoding_format == "base64"
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode()
                if as_base64
                else vector.tolist(),
                # Beyond OpenAI's fields, and only where the text was longer than the window.
                **({"truncated": True} if cut else {}),
            }
            for index, (vector, cut) in enumerate(zip(made.vectors, made.truncated, strict=True))
        ],
        "model": made.model,
        "usage": {"prompt_tokens": made.tokens, "total_tokens": made.tokens},
    }
