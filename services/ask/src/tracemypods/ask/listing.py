"""`GET /api/models`: the catalogue, with what this caller may use and what is there now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel

from tracemypods.ask.models import Status
from tracemypods.ask.state import StateDep
from tracemypods.contracts.catalogue import AnswerLimits, Kind, Licence, ModelEntry, Tier
from tracemypods.kit.errors import responses

router = APIRouter(tags=["models"])


class ModelOut(BaseModel):
    """A model of the catalogue. Sizes are in bytes, the context in tokens.

    `licence.notice` is to be shown wherever the model is offered. `terms` is there when the licence
    also binds those who use the model.
    """

    name: str
    label: str
    notes: str
    tier: Tier
    kind: Kind
    size_bytes: int
    size_most_bytes: int | None
    memory_bytes: int
    memory_most_bytes: int | None
    gpu: str
    context_tokens: int
    limits: AnswerLimits
    licence: Licence
    terms: str | None
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
        credential = state.callers.credential(authorization)
        plan = (await state.callers.recognise(credential)).plan
    allowed = state.catalogue.names_for(plan)
    statuses = await state.models.statuses()
    return ModelList(
        items=[
            model_out(name, entry, name in allowed, statuses[name])
            for name, entry in state.catalogue.models.items()
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
