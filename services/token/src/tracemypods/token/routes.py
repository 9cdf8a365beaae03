"""`/api/token`: POST issues, GET introspects the caller's own, DELETE revokes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.rate_limits import rate_limit_headers
from tracemypods.contracts.tokens import Plan, bearer_token
from tracemypods.kit.addresses import network_of
from tracemypods.kit.errors import Problem, TooManyRequests, responses
from tracemypods.token.state import State, StateDep

router = APIRouter(tags=["tokens"])


class IssueRequest(BaseModel):
    """Nothing needs to be said to get a free token."""

    model_config = ConfigDict(extra="forbid")


class Limits(BaseModel):
    """What holds for the token and for its client."""

    tokens_per_day: int = Field(description="Free tokens that one client may take a day (UTC)")
    seconds: int = Field(description="How long a free token holds")


class TokenInfo(BaseModel):
    """What a token gives access to."""

    plan: Plan
    issued_at: datetime
    expires_at: datetime
    models: list[str]
    limits: Limits


class IssuedTokenInfo(TokenInfo):
    """A new token. It is shown this once: the service keeps only a hash of it."""

    token: str


def own_token(authorization: Annotated[str | None, Header()] = None) -> str:
    """The caller's token, from the Authorization header.

    Raises TokenError `token_missing`.
    """
    return bearer_token(authorization)


OwnToken = Annotated[str, Depends(own_token)]


def limits(state: State) -> Limits:
    """The limits that this service is set to."""
    return Limits(tokens_per_day=state.settings.tokens_per_day, seconds=state.settings.free_seconds)


@router.post("/api/token", status_code=201, responses=responses(400, 413, 422, 429, 503))
async def issue_token(
    request: Request,
    response: Response,
    state: StateDep,
    _body: IssueRequest | None = None,
) -> IssuedTokenInfo:
    """Issue a free token."""
    client = network_of(request, state.settings)
    issued, quota = await state.free.issue(client)
    headers = rate_limit_headers(quota.limit, quota.remaining, quota.reset_seconds)
    if issued is None:
        raise TooManyRequests(
            f"This address has taken all {quota.limit} free tokens of today. "
            "Go on with a token that you have, or come back after midnight UTC.",
            retry_after=quota.reset_seconds,
            headers=headers,
        )
    response.headers.update(headers)
    return IssuedTokenInfo(
        token=issued.token,
        plan=issued.record.plan,
        issued_at=issued.record.issued_at,
        expires_at=issued.record.expires_at,
        models=state.catalogue.names_for(issued.record.plan),
        limits=limits(state),
    )


@router.get("/api/token", responses=responses(401, 503))
async def show_token(token: OwnToken, state: StateDep) -> TokenInfo:
    """Tell what the caller's own token gives access to, and until when."""
    record = await state.lookup.record(token)
    return TokenInfo(
        plan=record.plan,
        issued_at=record.issued_at,
        expires_at=record.expires_at,
        models=state.catalogue.names_for(record.plan),
        limits=limits(state),
    )


@router.delete("/api/token", status_code=204, responses=responses(401, 409, 503))
async def revoke_token(token: OwnToken, state: StateDep) -> None:
    """Revoke the caller's own free token. A premium one was paid for: only an operator may."""
    record = await state.lookup.record(token)
    if record.plan != "free":
        raise Problem(
            "A premium token was paid for, so it is not given up by a click. "
            "Ask the operator of this site to revoke it.",
            status=409,
            code="premium_token_kept",
        )
    await state.lookup.bury(state.lookup.hashes(token), state.settings.free_seconds)
