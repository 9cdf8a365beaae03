"""`/api/vector-entries`: what is kept, for operators to look at and to delete by id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from tracemypods.contracts.vectors import Entry
from tracemypods.kit.errors import NotFound, responses
from tracemypods.kit.operators import operator
from tracemypods.vector.entries import collection_of, entry, parse_id
from tracemypods.vector.state import StateDep

PATH = "/api/vector-entries"
READ, DELETE = "vectors:read", "vectors:delete"
"""The scopes."""

router = APIRouter(prefix=PATH, tags=["operators"])


class CollectionSize(BaseModel):
    """A collection and how many entries it has, expired ones that are still there included."""

    name: str
    entries: int


class CollectionList(BaseModel):
    """All collections, by name."""

    items: list[CollectionSize]


class EntryPage(BaseModel):
    """Some entries of a collection, by id; `cursor` asks for the next ones, if there are more."""

    items: list[Entry]
    cursor: str | None = None


@router.get("", dependencies=[Depends(operator(READ))], responses=responses(401, 403, 503))
async def list_collections(state: StateDep) -> CollectionList:
    """The collections."""
    return CollectionList(
        items=[
            CollectionSize(name=one.name, entries=await state.store.count(one))
            for one in await state.store.collections()
        ]
    )


@router.get(
    "/{collection}",
    dependencies=[Depends(operator(READ))],
    responses=responses(401, 403, 404, 422, 503),
)
async def list_entries(
    collection: str,
    state: StateDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
) -> EntryPage:
    """The entries of a collection."""
    first = None if cursor is None else parse_id(cursor, "query.cursor")
    found, following = await state.store.page(collection_of(collection), first, limit)
    return EntryPage(
        items=[entry(one) for one in found],
        cursor=None if following is None else str(following),
    )


@router.get(
    "/{collection}/{identifier}",
    dependencies=[Depends(operator(READ))],
    responses=responses(401, 403, 404, 422, 503),
)
async def get_entry(collection: str, identifier: str, state: StateDep) -> Entry:
    """One entry."""
    chosen = parse_id(identifier, "path.identifier")
    found = await state.store.get(collection_of(collection), chosen)
    if found is None:
        raise _no_such_entry()
    return entry(found)


@router.delete(
    "/{collection}/{identifier}",
    dependencies=[Depends(operator(DELETE))],
    status_code=204,
    responses=responses(401, 403, 404, 422, 503),
)
async def delete_entry(collection: str, identifier: str, state: StateDep) -> Response:
    """Delete one entry."""
    chosen = parse_id(identifier, "path.identifier")
    if not await state.store.delete(collection_of(collection), [chosen]):
        raise _no_such_entry()
    return Response(status_code=204)


def _no_such_entry() -> NotFound:
    return NotFound("There is no entry with this id.", code="entry_unknown")
