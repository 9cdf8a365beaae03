"""`/api/blocks`: operators refuse a token or a client network, and serve it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.ask.quotas.blocks import Kind
from tracemypods.ask.state import StateDep
from tracemypods.kit.errors import NotFound, responses
from tracemypods.kit.operators import operator

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.:/-]+$")]

router = APIRouter(
    prefix="/api/blocks",
    tags=["operators"],
    dependencies=[Depends(operator("callers:block"))],
    responses=responses(401, 403, 422, 503),
)


class BlockIn(BaseModel):
    """What to refuse from now on, and why."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    name: Name = Field(description="A token's id, or any address of a network")
    reason: str = Field(min_length=1, max_length=500, description="For other operators")
    seconds: int | None = Field(
        None, gt=0, le=10**9, description="How long; for ever when left out"
    )


class BlockOut(BaseModel):
    """A block. `seconds` is how long it still lasts; it is not there when that is for ever."""

    kind: Kind
    name: str
    reason: str
    seconds: int | None = None


class BlockList(BaseModel):
    """All blocks, in one page."""

    items: list[BlockOut]
    next_cursor: str | None = None


@router.get("", response_model_exclude_none=True)
async def list_blocks(state: StateDep) -> BlockList:
    """List what is refused now."""
    blocks = await state.blocks.all()
    return BlockList(items=[BlockOut(**vars(block)) for block in blocks])


@router.post("", status_code=201, response_model_exclude_none=True)
async def block(body: BlockIn, state: StateDep) -> BlockOut:
    """Refuse a token or a network, or change why and for how long. Open answers go on."""
    added = await state.blocks.add(body.kind, body.name, reason=body.reason, seconds=body.seconds)
    return BlockOut(**vars(added))


@router.delete("", status_code=204, responses=responses(404))
async def unblock(
    state: StateDep, kind: Annotated[Kind, Query()], name: Annotated[Name, Query()]
) -> None:
    """Serve a token or a network again."""
    if not await state.blocks.remove(kind, name):
        raise NotFound(f"The {kind} {name!r} is not blocked.", code="not_blocked")
