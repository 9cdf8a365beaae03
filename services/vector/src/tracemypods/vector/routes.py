"""`/api/vector/{collection}/…`: upsert, search and delete, for other services alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from tracemypods.contracts.vectors import (
    PATH,
    Collection,
    Deleted,
    DeleteRequest,
    ListRequest,
    Matches,
    Page,
    SearchRequest,
    Upserted,
    UpsertRequest,
)
from tracemypods.kit.errors import responses
from tracemypods.kit.internal import calls_from
from tracemypods.vector.entries import collection_of
from tracemypods.vector.state import StateDep

router = APIRouter(prefix=PATH, tags=["vector"], dependencies=[Depends(calls_from("ask"))])


def _collection(collection: str) -> Collection:
    return collection_of(collection)


CollectionDep = Annotated[Collection, Depends(_collection)]


@router.post("/upsert", responses=responses(400, 401, 403, 409, 413, 422, 503))
async def upsert(body: UpsertRequest, collection: CollectionDep, state: StateDep) -> Upserted:
    """Keep entries. They are kept, and found, when this is answered."""
    await state.entries.upsert(collection, body.points)
    return Upserted(stored=len({point.id for point in body.points}))


@router.post("/search", responses=responses(400, 401, 403, 404, 413, 422, 503))
async def search(body: SearchRequest, collection: CollectionDep, state: StateDep) -> Matches:
    """The nearest entries that have these labels and have not expired."""
    return Matches(items=await state.entries.search(collection, body))


@router.post("/list", responses=responses(400, 401, 403, 404, 413, 422, 503))
async def list_entries(body: ListRequest, collection: CollectionDep, state: StateDep) -> Page:
    """Entries by their ids, or a page of those with some labels; none that have expired."""
    return await state.entries.list(collection, body)


@router.post("/delete", responses=responses(400, 401, 403, 404, 413, 422, 503))
async def delete(body: DeleteRequest, collection: CollectionDep, state: StateDep) -> Deleted:
    """Delete entries by their ids, or all that have some labels, or those ids that have them."""
    if body.ids is not None:
        deleted = await state.entries.delete_ids(collection, set(body.ids), body.labels or {})
        return Deleted(deleted=deleted)
    deleted = await state.entries.delete_labelled(collection, body.labels or {})
    return Deleted(deleted=deleted)
