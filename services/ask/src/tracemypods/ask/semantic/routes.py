"""Callers say that an answer was wrong; operators look at the semantic cache, share and delete."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.ask.semantic.modes import Mode
from tracemypods.ask.semantic.report import Shadowed
from tracemypods.ask.semantic.searchable import LONGEST_CHARACTERS
from tracemypods.ask.semantic.semantic_cache import SemanticCache
from tracemypods.ask.semantic.sharing import Refusal, Wish
from tracemypods.ask.state import CallerDep, StateDep
from tracemypods.kit.errors import NotFound, Problem, Unavailable, responses
from tracemypods.kit.http import DependencyError
from tracemypods.kit.operators import operator

ResultT = TypeVar("ResultT")

router = APIRouter(tags=["ask"])
operators = APIRouter(
    prefix="/api/semantic-cache",
    tags=["operators"],
    responses=responses(401, 403, 404, 422, 503),
)
READ, DELETE, SHARE = "cache:read", "cache:delete", "cache:share"
"""The scopes of operators' keys. Reading shows what callers asked."""

MOST_WISHES = 50


def get_semantic(state: StateDep) -> SemanticCache:
    """The semantic cache. Raises NotFound `semantic_cache_off`."""
    if state.semantic is None:
        raise NotFound("There is no semantic cache here.", code="semantic_cache_off")
    return state.semantic


SemanticDep = Annotated[SemanticCache, Depends(get_semantic)]


class WrongAnswer(BaseModel):
    """Which answer was wrong: `cache.entry` of it."""

    model_config = ConfigDict(extra="forbid")

    entry: UUID


@router.post("/api/wrong-answer", status_code=204, responses=responses(401, 404, 422, 503))
async def wrong_answer(body: WrongAnswer, caller: CallerDep, semantic: SemanticDep) -> None:
    """Say that an answer of the semantic cache did not answer the question.

    The caller's own entry is deleted; against one that is shared it is a vote, and the caller is
    not given it again.
    """
    if not await reached(lambda: semantic.wrong(str(body.entry), f"token:{caller.id}")):
        raise gone()


class SemanticState(BaseModel):
    """What the semantic cache does, and what this replica has counted since it was started."""

    mode: Mode
    models: dict[str, Mode] = Field(description="Those for which another mode holds")
    sharing: bool = Field(description="Whether approved answers are given to everybody")
    look_ups: dict[str, int] = Field(
        description="By how they ended; `shadow` would have been given, were the mode `on`"
    )
    wrong_answers: int


class Deleted(BaseModel):
    """How many entries were deleted."""

    deleted: int


class EntryOut(BaseModel):
    """An entry, for operators. Times are Unix times in seconds."""

    id: UUID
    scope: str = Field(description="`token:` and a token's id, `shared`, or `removed`")
    model: str
    tier: str
    question: str
    by_operator: bool = Field(description="Whether the question is in an operator's words")
    answer: str
    stored_at: float
    expires_at: float
    votes: int = Field(description="How many callers said that the answer is wrong")


class EntryList(BaseModel):
    """Some entries; `cursor` asks for the next ones, if there are more."""

    items: list[EntryOut]
    cursor: str | None = None


class ReportOut(BaseModel):
    """What would have been given in shadow mode, the latest first."""

    items: list[Shadowed]


class WishIn(BaseModel):
    """An entry to be shared."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    question: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_CHARACTERS,
        description="The question in your words, which everybody may see; in the caller's, which "
        "nobody else is shown, when left out",
    )


class WishesIn(BaseModel):
    """Entries that an operator has looked at and approves."""

    model_config = ConfigDict(extra="forbid")

    entries: Annotated[list[WishIn], Field(min_length=1, max_length=MOST_WISHES)]


class OutcomeOut(BaseModel):
    """What became of one of them."""

    id: UUID
    shared: UUID | None = Field(None, description="The id of the shared entry")
    refused: Refusal | None = None
    detail: str | None = None


class OutcomeList(BaseModel):
    """What became of each of them, in order."""

    items: list[OutcomeOut]


REFUSALS: dict[Refusal, str] = {
    "entry_unknown": "There is no such entry (any more), or it is of an old epoch.",
    "personal_data": "The question or the answer holds what looks like personal data.",
    "secret": "The question or the answer holds what looks like a key or a password.",
    "not_lasting": "The question is too long to be compared, or its answer changes with time.",
    "removed": "An answer to this question was removed. Delete its `removed` entry to lift that.",
}


@operators.get("", dependencies=[Depends(operator(READ))])
async def show(semantic: SemanticDep) -> SemanticState:
    """Show what it does, and how look-ups ended."""
    return SemanticState(
        mode=semantic.modes.default,
        models=dict(semantic.modes.models),
        sharing=semantic.sharing.is_open,
        look_ups=semantic.counted(),
        wrong_answers=semantic.wrong_answers(),
    )


@operators.get("/report", dependencies=[Depends(operator(READ))])
async def report(
    semantic: SemanticDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> ReportOut:
    """List what would have been given in shadow mode, beside what the model said."""
    return ReportOut(items=await semantic.report.latest(limit))


@operators.get("/entries", dependencies=[Depends(operator(READ))])
async def list_entries(
    semantic: SemanticDep,
    scope: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    cursor: Annotated[UUID | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> EntryList:
    """List entries: all, or those of one scope (`shared`, `removed`, `token:…`)."""
    first = None if cursor is None else str(cursor)
    page, votes = await reached(lambda: semantic.sharing.page(scope, first, limit))
    return EntryList(
        items=[
            EntryOut(
                id=UUID(entry.id),
                scope=entry.scope,
                model=entry.fields["model"],
                tier=entry.fields["tier"],
                question=entry.question,
                by_operator=entry.by_operator,
                answer=entry.answer.text,
                stored_at=entry.answer.stored_at,
                expires_at=entry.expires_at,
                votes=count,
            )
            for entry, count in zip(page.entries, votes, strict=True)
        ],
        cursor=page.cursor,
    )


@operators.post(
    "/shared", dependencies=[Depends(operator(SHARE))], response_model_exclude_none=True
)
async def share(body: WishesIn, semantic: SemanticDep) -> OutcomeList:
    """Approve entries: from now on they are given to everybody of their plan.

    Raises Problem `sharing_closed` (409) where the settings don't open sharing.
    """
    if not semantic.sharing.is_open:
        raise Problem(
            "Answers are not shared here: TRACEMYPODS_ASK_SEMANTIC_SHARING opens that.",
            status=409,
            code="sharing_closed",
        )
    wishes = [Wish(str(one.id), one.question) for one in body.entries]
    outcomes = await reached(lambda: semantic.sharing.share(wishes, time.time()))
    return OutcomeList(
        items=[
            OutcomeOut(
                id=UUID(one.wish.id),
                shared=None if one.shared is None else UUID(one.shared),
                refused=one.refused,
                detail=None if one.refused is None else REFUSALS[one.refused],
            )
            for one in outcomes
        ]
    )


@operators.delete("/entries/{entry}", status_code=204, dependencies=[Depends(operator(DELETE))])
async def delete_entry(entry: UUID, semantic: SemanticDep) -> None:
    """Delete one entry, whoever's it is. A shared one does not come back."""
    if not await reached(lambda: semantic.sharing.remove(str(entry), time.time())):
        raise gone()


@operators.delete("/entries", dependencies=[Depends(operator(DELETE))])
async def delete_of_model(
    semantic: SemanticDep, model: Annotated[str, Query(min_length=1, max_length=200)]
) -> Deleted:
    """Delete all entries of a model."""
    return Deleted(deleted=await reached(lambda: semantic.delete(model=model)))


@operators.post("/epoch", dependencies=[Depends(operator(DELETE))])
async def begin_epoch(semantic: SemanticDep) -> Deleted:
    """Begin a new epoch: no entry that is there is given any more."""
    return Deleted(deleted=await reached(semantic.begin_epoch))


async def reached(work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Await it. Raises Unavailable `vector_unavailable` when a service beside can't be reached."""
    try:
        return await work()
    except DependencyError:
        raise Unavailable(
            "The store of the semantic cache does not answer. Try again in a few seconds.",
            code="vector_unavailable",
        ) from None


def gone() -> NotFound:
    """The error for an entry that is not there (any more)."""
    return NotFound("There is no such entry (any more).", code="entry_unknown")
