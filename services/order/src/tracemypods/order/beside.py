"""The services beside: payment talks to Razorpay, token issues what was bought."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tracemypods.contracts.payments import (
    ABOUT_PATH,
    CHECK_PATH,
    CREATE_PATH,
    REFUND_PATH,
    About,
    CheckIn,
    Created,
    CreateIn,
    PaymentFact,
    RefundFact,
    RefundIn,
)
from tracemypods.contracts.premium_tokens import (
    ISSUE_PATH,
    RESUME_PATH,
    REVOKE_PATH,
    SUSPEND_PATH,
    IssuedPremiumToken,
    IssueRequest,
    OrderName,
    TokenState,
)
from tracemypods.kit.errors import Problem, ProblemDocument, Unavailable
from tracemypods.kit.http import DependencyError, HttpClient

ModelT = TypeVar("ModelT", bound=BaseModel)


class Payments:
    """Calls payment. Each raises Unavailable `payment_unavailable`, or the Problem that it says."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def about(self) -> About:
        """Whether money is real there, and where the checkout is."""
        return await _call(self._client, ABOUT_PATH, None, About)

    async def create(self, body: CreateIn) -> Created:
        """Have an order made at Razorpay; the same one for the same receipt."""
        return await _call(self._client, CREATE_PATH, body, Created)

    async def check(self, body: CheckIn) -> PaymentFact:
        """What Razorpay says of a payment that a browser brought back."""
        return await _call(self._client, CHECK_PATH, body, PaymentFact)

    async def refund(self, body: RefundIn) -> RefundFact:
        """Have money given back; once for the same refund id."""
        return await _call(self._client, REFUND_PATH, body, RefundFact)


class Tokens:
    """Calls token. Each raises Unavailable `token_unavailable`, or the Problem that it says."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def issue(self, order_id: str, days: int, *, livemode: bool) -> IssuedPremiumToken:
        """The order's token, the same one whenever it is asked for."""
        body = IssueRequest(order_id=order_id, days=days, livemode=livemode)
        return await _call(self._client, ISSUE_PATH, body, IssuedPremiumToken)

    async def suspend(self, order_id: str) -> TokenState:
        """Let it not hold for now."""
        return await _call(self._client, SUSPEND_PATH, OrderName(order_id=order_id), TokenState)

    async def resume(self, order_id: str) -> TokenState:
        """Let it hold again."""
        return await _call(self._client, RESUME_PATH, OrderName(order_id=order_id), TokenState)

    async def revoke(self, order_id: str) -> TokenState:
        """End it, or see to it that there never is one."""
        return await _call(self._client, REVOKE_PATH, OrderName(order_id=order_id), TokenState)


async def _call(
    client: HttpClient, path: str, body: BaseModel | None, answer: type[ModelT]
) -> ModelT:
    unavailable = Unavailable(
        f"The {client.name} service does not answer at the moment. Try again in a few seconds.",
        code=f"{client.name}_unavailable",
    )
    try:
        if body is None:
            status, text = await client.call("GET", path)
        else:
            status, text = await client.call("POST", path, json=body.model_dump(mode="json"))
    except DependencyError:
        raise unavailable from None
    try:
        if status < 300:
            return answer.model_validate_json(text)
        said = ProblemDocument.model_validate_json(text)
    except ValidationError:
        raise unavailable from None
    if said.status in (401, 403) and said.code.startswith("edge_key"):
        raise unavailable  # a key that does not fit is nothing that a caller can mend
    raise Problem(said.detail, status=said.status, code=said.code, errors=said.errors or ())
