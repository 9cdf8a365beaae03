"""`GET /api/models`: the catalogue, with what this caller may use and what is there now."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel

from tracemypods.ask.models import Status
from tracemypods.ask.state import StateDep
from tracemypods.contracts.catalogue import AnswerLimits, Licence, ModelEntry, Tier
from tracemypods.kit.errors import responses

router = APIRouter(tags=["models"])


class ModelOut(BaseModel):
    """A model of the catalogue. Sizes are in bytes, the context in tokens."""

    name: str
    label: str
    notes: str
    tier: Tier
    size_bytes: int
    memory_bytes: int
    context_tokens: int
    limits: AnswerLimits
    licence: Licence
    source: str
    allowed: bool
    status: Status


class ModelList(BaseModel):
    """All models, in one page."""

    items: list[ModelOut]
    next_cursor: str | None = None


@router.get("/api/models", responses=responses(401, 503))
async def list_models(
    state: StateDep, authorization: Annotated[str | None, Header()] = None
) -> ModelList:
    """List the models. `allowed` speaks of the caller's token, or of a free one without any."""
    plan: Tier = "free"
    if authorization is not None:
        plan = (await state.callers.recognise(authorization)).plan
    allowed = state.catalogue.names_for(plan)
    names = list(state.catalogue.models)
    statuses = await asyncio.gather(*(state.models.status(name) for name in names))
    return ModelList(
        items=[
            model_out(name, state.catalogue.models[name], name in allowed, status)
            for name, status in zip(names, statuses, strict=True)
        ]
    )


def model_out(name: str, entry: ModelEntry, allowed: bool, status: Status) -> ModelOut:
    """An entry of the catalogue as callers see it."""
    return ModelOut(
        name=name,
        allowed=allowed,
        status=status,
        **entry.model_dump(exclude={"upstream", "template"}),
    )
