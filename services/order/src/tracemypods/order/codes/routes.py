"""`/send-otp` and `/verify-otp`: proving that one reads the mail of an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.kit.addresses import network_of
from tracemypods.kit.errors import FieldError, InvalidRequest, responses
from tracemypods.order.codes.addresses import plain_address
from tracemypods.order.codes.challenges import (
    CODE_SECONDS,
    DIGITS,
    RESEND_SECONDS,
    Asked,
    Purpose,
)
from tracemypods.order.codes.verifications import SECONDS
from tracemypods.order.orders.order import ORDER_ID
from tracemypods.order.state import StateDep

router = APIRouter(tags=["e-mail codes"])

ChallengeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
OrderId = Annotated[str, Field(pattern=ORDER_ID)]


class SendIn(BaseModel):
    """Whom to send a code, and what for."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=320)
    purpose: Purpose = "buy"
    order_id: OrderId | None = Field(None, description="For the purpose `token`")
    challenge_id: ChallengeId | None = Field(
        None, description="To have another code sent, in place of the last"
    )


class SendOut(BaseModel):
    """A code is on its way. Times are in seconds."""

    challenge_id: str
    expires_in: int
    resend_after: int


class VerifyIn(BaseModel):
    """What the mail said."""

    model_config = ConfigDict(extra="forbid")

    challenge_id: ChallengeId
    code: str = Field(pattern=rf"^[0-9]{{{DIGITS}}}$", description="Six digits")


class VerifyOut(BaseModel):
    """Proof of the address, for the purpose that the code was asked for."""

    verification: str
    expires_in: int


@router.post("/send-otp", status_code=202, responses=responses(400, 410, 413, 422, 429, 503))
async def send_otp(body: SendIn, request: Request, state: StateDep) -> SendOut:
    """Send a code of six digits. The answer is the same for every address."""
    address = plain_address(body.email, local_names=state.settings.takes_local_names)
    if (body.purpose == "token") is not (body.order_id is not None):
        message = "send it with the purpose `token`, and only then"
        raise InvalidRequest(
            f"The request is not valid: order_id: {message}.",
            errors=[FieldError(field="order_id", message=message)],
        )
    state.codes.require()
    asked = Asked(address, body.purpose, body.order_id or "")
    client = network_of(request, state.settings)
    sending = await state.challenges.send(asked, client, body.challenge_id)
    state.codes.send(address, body.purpose, sending)
    return SendOut(
        challenge_id=sending.challenge_id, expires_in=CODE_SECONDS, resend_after=RESEND_SECONDS
    )


@router.post("/verify-otp", responses=responses(400, 410, 413, 422, 503))
async def verify_otp(body: VerifyIn, state: StateDep) -> VerifyOut:
    """Say the code. It may be tried five times, and be right once."""
    proved = await state.challenges.verify(body.challenge_id, body.code)
    return VerifyOut(verification=state.verifications.make(proved), expires_in=SECONDS)
