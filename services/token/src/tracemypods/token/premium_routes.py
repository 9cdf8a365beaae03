"""Premium tokens over HTTP: for the public, for other services, and for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.premium_tokens import (
    ISSUE_PATH,
    LONGEST_DAYS,
    RESUME_PATH,
    REVOKE_PATH,
    SUSPEND_PATH,
    IssuedPremiumToken,
    IssueRequest,
    OrderName,
    TokenState,
)
from tracemypods.contracts.tokens import Plan, TokenCheck, TokenCheckResult, TokenError
from tracemypods.kit.errors import responses
from tracemypods.kit.internal import calls_from
from tracemypods.kit.operators import operator
from tracemypods.token.burials import bury
from tracemypods.token.premium import PremiumToken
from tracemypods.token.state import State, StateDep

public = APIRouter(tags=["tokens"])
internal = APIRouter(tags=["internal"])
operators = APIRouter(prefix="/api/tokens", tags=["operators"])

OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class Strict(BaseModel):
    """Refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class ValidateRequest(Strict):
    """The token to look at."""

    token: str = Field(max_length=200)


class Validity(BaseModel):
    """Whether a premium token holds; the other fields only if it does."""

    valid: bool
    plan: Plan | None = None
    models: list[str] | None = None
    expires_at: datetime | None = None


@public.post(
    "/api/validate-premium-token",
    response_model_exclude_none=True,
    responses=responses(400, 413, 422, 503),
)
async def validate_premium_token(body: ValidateRequest, state: StateDep) -> Validity:
    """Tell whether a premium token holds. Free tokens and unknown ones are not valid here."""
    try:
        record = await state.lookup.record(body.token)
    except TokenError:
        return Validity(valid=False)
    if record.plan != "premium":
        return Validity(valid=False)
    return Validity(
        valid=True,
        plan=record.plan,
        models=state.catalogue.names_for(record.plan),
        expires_at=record.expires_at,
    )


async def issue(body: IssueRequest, state: State) -> IssuedPremiumToken:
    """Give an order its token, the same one whenever it is asked for."""
    days = body.days or state.settings.premium_days
    made = await state.premium.issue(body.order_id, days, livemode=body.livemode)
    if made.replaced:
        await bury(state.premium, state.lookup, list(made.replaced))
    return _issued(made)


def _issued(made: PremiumToken) -> IssuedPremiumToken:
    record = made.record
    return IssuedPremiumToken(token=made.token, plan=record.plan, expires_at=record.expires_at)


@internal.post(ISSUE_PATH, dependencies=[Depends(calls_from("order"))])
async def issue_for_order(body: IssueRequest, state: StateDep) -> IssuedPremiumToken:
    """Called by order when an order is paid. Idempotent per order id."""
    return await issue(body, state)


@internal.post(REVOKE_PATH, dependencies=[Depends(calls_from("order"))])
async def revoke_for_order(body: OrderName, state: StateDep) -> TokenState:
    """Called by order when the money went back. An order without a token gets none any more."""
    return await end(body.order_id, state, "order")


@internal.post(SUSPEND_PATH, dependencies=[Depends(calls_from("order"))])
async def suspend_for_order(body: OrderName, state: StateDep) -> TokenState:
    """Called by order while it is not sure that the money stays."""
    hashes = await state.premium.suspend(body.order_id)
    await bury(state.premium, state.lookup, hashes)
    return TokenState(order_id=body.order_id, status="suspended")


@internal.post(RESUME_PATH, dependencies=[Depends(calls_from("order"))])
async def resume_for_order(body: OrderName, state: StateDep) -> TokenState:
    """Called by order when the money stays."""
    record = await state.premium.resume(body.order_id)
    await state.lookup.unbury(record.hash)
    return TokenState(order_id=body.order_id, status="active", expires_at=record.expires_at)


@internal.post("/internal/tokens/check", dependencies=[Depends(calls_from("ask"))])
async def check_for_ask(body: TokenCheck, state: StateDep) -> TokenCheckResult:
    """Called by ask when Redis has no record of a premium token."""
    try:
        record = await state.lookup.premium_record(body.hashes)
        return TokenCheckResult(record=record, hash=record.hash if record else "")
    except TokenError:
        return TokenCheckResult(record=None)


@operators.post("", responses=responses(401, 403, 409, 422, 503))
async def issue_by_operator(
    body: IssueRequest,
    state: StateDep,
    _name: Annotated[str, Depends(operator("tokens:issue"))],
) -> IssuedPremiumToken:
    """Issue a premium token by hand, under an order id of the operator's choice."""
    return await issue(body, state)


class ExtendRequest(Strict):
    """How much longer."""

    days: int = Field(ge=1, le=LONGEST_DAYS)


@operators.post("/{order_id}/extend", responses=responses(401, 403, 404, 409, 422, 503))
async def extend(
    order_id: OrderId,
    body: ExtendRequest,
    state: StateDep,
    _name: Annotated[str, Depends(operator("tokens:extend"))],
) -> TokenState:
    """Let an order's token hold longer: from its end, or from now when that has passed."""
    record = await state.premium.extend(order_id, body.days)
    await state.lookup.forget(record.hash)
    return TokenState(order_id=order_id, status="active", expires_at=record.expires_at)


@operators.post("/{order_id}/revoke", responses=responses(401, 403, 422, 503))
async def revoke(
    order_id: OrderId,
    state: StateDep,
    name: Annotated[str, Depends(operator("tokens:revoke"))],
) -> TokenState:
    """Revoke an order's token. An order without one gets none any more."""
    return await end(order_id, state, f"operator {name}")


async def end(order_id: str, state: State, by: str) -> TokenState:
    """Revoke an order's token."""
    hashes = await state.premium.revoke(order_id, by)
    await bury(state.premium, state.lookup, hashes)
    return TokenState(order_id=order_id, status="revoked")


def routers() -> list[APIRouter]:
    """All of them."""
    return [public, internal, operators]
