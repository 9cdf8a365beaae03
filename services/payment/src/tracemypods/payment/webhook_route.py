"""`POST /payment/webhook`: what Razorpay tells us, stored, answered, and handled afterwards."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from tracemypods.kit.errors import Problem, responses
from tracemypods.payment.inbox import Kept
from tracemypods.payment.razorpay.signatures import is_signed
from tracemypods.payment.state import State, StateDep

SIGNATURE = b"x-razorpay-signature"
EVENT_ID = b"x-razorpay-event-id"
LONGEST_EVENT_ID = 100

router = APIRouter(tags=["webhook"])


class Received(BaseModel):
    """The event is stored, now or since an earlier delivery."""

    received: bool = True


@router.post(
    "/payment/webhook",
    responses=responses(400, 413, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "parameters": [
            {
                "name": "X-Razorpay-Signature",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": "HMAC-SHA256 of the raw body under the webhook's secret, in "
                "hexadecimal",
            }
        ],
    },
)
async def webhook(request: Request, state: StateDep) -> Received:
    """Take an event from Razorpay: 200 means that a majority of MongoDB's servers has it.

    What is signed and no event that we can read is stored too, for operators to look at.
    """
    given = event_id = None
    for name, value in request.headers.raw:
        if name == SIGNATURE and given is None:
            given = value
        elif name == EVENT_ID and event_id is None:
            event_id = value.decode("latin-1")[:LONGEST_EVENT_ID]
    try:
        body = await request.body()
    except ClientDisconnect:
        raise Problem("The body did not come whole.", status=400, code="malformed_body") from None
    if given is None:
        state.metrics.webhooks.labels("refused").inc()
        raise Problem("The event is not signed.", status=400, code="signature_missing")
    if not is_signed(body, given, state.settings.webhook_secrets):
        state.metrics.webhooks.labels("refused").inc()
        raise Problem("The signature is not Razorpay's.", status=400, code="signature_invalid")
    kept = await _keep(state, body, event_id)
    outcome = "new" if kept.is_new else "duplicate"
    if kept.state == "unreadable":
        outcome = "unreadable"
    state.metrics.webhooks.labels(outcome).inc()
    return Received()


async def _keep(state: State, body: bytes, event_id: str | None) -> Kept:
    """Store an event, and begin to hand it over if there is room for that now.

    Most are handed over so, which saves asking MongoDB for what was just given to it.
    """
    lease = state.hand_over.reserve()
    claimed = None
    try:
        kept = await state.inbox.keep(body, event_id, lease)
        claimed = kept.claimed
    finally:
        if lease:
            state.hand_over.begin(claimed)
    return kept
