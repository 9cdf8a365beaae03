"""Deliveries over HTTP, for operators: what there is, what is dead, and sending again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.deliver.jobs.deadletters import DeadLetterOut
from tracemypods.deliver.jobs.job import JOB_ID, Job
from tracemypods.deliver.jobs.store import JobUnknown
from tracemypods.deliver.jobs.views import DeliveryList, DeliveryOut, shown
from tracemypods.deliver.state import State, StateDep
from tracemypods.kit.errors import responses
from tracemypods.kit.operators import operator

READ, SEND = "deliveries:read", "deliveries:send"
"""The scopes."""
ORDER_ID = r"^ord_[0-9a-f]{32}$"
LINK_SECONDS = 300

router = APIRouter(tags=["operators"])

MayRead = Depends(operator(READ))
MaySend = Depends(operator(SEND))
OrderId = Annotated[str, Path(pattern=ORDER_ID)]
DeliveryId = Annotated[str, Path(pattern=JOB_ID)]
Limit = Annotated[int, Query(ge=1, le=100)]
DEAD_CURSOR = r"^[0-9]{14}:ord_[A-Za-z0-9:_-]{1,150}$"


class AgainIn(BaseModel):
    """What is sent again: everything of an order, or one of its deliveries."""

    model_config = ConfigDict(extra="forbid")

    order_id: str = Field(pattern=ORDER_ID)
    delivery_id: str | None = Field(None, pattern=JOB_ID)


class FileOut(BaseModel):
    """A document's file, and a link to it that works for five minutes."""

    key: str
    number: str
    size: int
    sha256: str
    made_at: int
    link: str


class DeliveriesOut(BaseModel):
    """All that is known of an order's documents."""

    order_id: str
    items: list[DeliveryOut]
    files: list[FileOut]


class DeadLetterList(BaseModel):
    """Records that could not be handled, the newest first."""

    items: list[DeadLetterOut]
    cursor: str | None = None


@router.get(
    "/deliver/{order_id}",
    dependencies=[MayRead],
    response_model_exclude_none=True,
    responses=responses(401, 403, 404, 422, 503),
)
async def show(order_id: OrderId, state: StateDep) -> DeliveriesOut:
    """Show what has been delivered of an order, and how far the rest is."""
    jobs = await _of_order(state, order_id)
    files = await state.files.of_order(order_id)
    return DeliveriesOut(
        order_id=order_id,
        items=[shown(job) for job in jobs],
        files=[
            FileOut(
                key=file.key,
                number=file.number,
                size=file.size,
                sha256=file.sha256,
                made_at=file.made_at,
                link=await state.files.link(file, LINK_SECONDS),
            )
            for file in files
        ],
    )


@router.post(
    "/deliver",
    status_code=202,
    dependencies=[MaySend],
    response_model_exclude_none=True,
    responses=responses(400, 401, 403, 404, 413, 422, 503),
)
async def send_again(body: AgainIn, state: StateDep) -> DeliveryList:
    """Send documents again: the same file, in a new mail; or try anew what was given up."""
    jobs = await _of_order(state, body.order_id)
    if body.delivery_id is not None:
        jobs = [job for job in jobs if job.id == body.delivery_id]
        if not jobs:
            raise JobUnknown("This order has no such delivery.")
    for job in jobs:
        await state.jobs.again(job, state.now())
    state.worker.wake()
    return DeliveryList(items=[shown(await state.jobs.get(job.id)) for job in jobs])


@router.get(
    "/api/deliveries",
    dependencies=[MayRead],
    response_model_exclude_none=True,
    responses=responses(401, 403, 422, 503),
)
async def list_deliveries(
    state: StateDep,
    cursor: Annotated[str | None, Query(pattern=JOB_ID)] = None,
    limit: Limit = 20,
) -> DeliveryList:
    """List deliveries, those of the newest orders first."""
    jobs = await state.jobs.page(cursor, limit)
    return DeliveryList(
        items=[shown(job) for job in jobs], cursor=jobs[-1].id if len(jobs) == limit else None
    )


@router.get(
    "/api/deliveries/dead",
    dependencies=[MayRead],
    response_model_exclude_none=True,
    responses=responses(401, 403, 422, 503),
)
async def list_dead(
    state: StateDep,
    cursor: Annotated[str | None, Query(pattern=DEAD_CURSOR)] = None,
    limit: Limit = 20,
) -> DeliveryList:
    """List deliveries that were given up, the last one first. Replay them to try anew."""
    jobs = await state.jobs.page_of_dead(cursor, limit)
    return DeliveryList(
        items=[shown(job) for job in jobs], cursor=jobs[-1].dead if len(jobs) == limit else None
    )


@router.post(
    "/api/deliveries/{delivery_id}/replay",
    status_code=202,
    dependencies=[MaySend],
    response_model_exclude_none=True,
    responses=responses(401, 403, 404, 422, 503),
)
async def replay(delivery_id: DeliveryId, state: StateDep) -> DeliveryOut:
    """Try anew what was given up; nothing is changed for one that was not."""
    job = await state.jobs.get(delivery_id)
    if job.status == "dead":
        await state.jobs.again(job, state.now())
        state.worker.wake()
        job = await state.jobs.get(delivery_id)
    return shown(job)


@router.get(
    "/api/deliveries/dead-letters",
    dependencies=[MayRead],
    response_model_exclude_none=True,
    responses=responses(401, 403, 422, 503),
)
async def list_dead_letters(
    state: StateDep,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{14}-[A-Za-z0-9._-]{1,200}$")] = None,
    limit: Limit = 20,
) -> DeadLetterList:
    """List records of `orders` that could not be handled: poison, or forged."""
    found = await state.dead_letters.page(cursor, limit)
    return DeadLetterList(items=found, cursor=found[-1].id if len(found) == limit else None)


async def _of_order(state: State, order_id: str) -> list[Job]:
    jobs = await state.jobs.of_order(order_id)
    if not jobs:
        raise JobUnknown("Nothing has been delivered of such an order, or has to be.")
    return jobs
