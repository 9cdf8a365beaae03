"""Premium tokens: what the order service asks of the token service.

Each call is idempotent per order: an order has at most one token that holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.tokens import Plan

ISSUE_PATH = "/internal/tokens"
REVOKE_PATH = "/internal/tokens/revoke"
SUSPEND_PATH = "/internal/tokens/suspend"
RESUME_PATH = "/internal/tokens/resume"
"""All with POST: IssueRequest → IssuedPremiumToken, else OrderName → TokenState. Those that end a
token's life answer 409 `order_revoked` where it has ended for good, 404 `order_unknown` where it
never began."""

LONGEST_DAYS = 3660

OrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class _Strict(BaseModel):
    """Refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class IssueRequest(_Strict):
    """The order that was paid."""

    order_id: OrderId
    days: int | None = Field(None, ge=1, le=LONGEST_DAYS, description="How long the token holds")
    livemode: bool = Field(
        True, description="Whether money was paid; a test order's token is refused in production"
    )


class IssuedPremiumToken(BaseModel):
    """A premium token. The service keeps only a hash of it, and can derive it again."""

    token: str
    plan: Plan
    expires_at: datetime


class OrderName(_Strict):
    """The order whose token is meant."""

    order_id: OrderId


class TokenState(BaseModel):
    """What holds for an order's token now."""

    order_id: str
    status: Literal["active", "suspended", "revoked"]
    expires_at: datetime | None = None
