"""Control routes: what people, banks and Razorpay's dashboard do, and faults on demand.

All need the control key. What Razorpay itself would refuse is answered in its own form.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.kit.errors import NotFound, ProblemDocument
from tracemypods.local.sandboxes.razorpay.entities import Notes, Phase, RefundStatus
from tracemypods.local.sandboxes.razorpay.faults import ApiFault, ArmedFault, PayFault
from tracemypods.local.sandboxes.razorpay.paying import Outcome, pay
from tracemypods.local.sandboxes.razorpay.payments import Payer
from tracemypods.local.sandboxes.razorpay.state import Controlled
from tracemypods.local.sandboxes.razorpay.webhooks import WebhookState

router = APIRouter(
    prefix="/local/razorpay",
    tags=["control"],
    responses={status: {"model": ProblemDocument} for status in (401, 403, 422)},
)

ClosedStatus = Literal["under_review", "won", "lost", "closed"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Pay(_Body):
    """Somebody pays, or tries to."""

    razorpay_order_id: str
    outcome: Outcome
    faults: frozenset[PayFault] = frozenset()
    fault_calls: int = Field(
        1, ge=1, le=1000, description="How many calls the faults http_500 and timeout meet"
    )
    email: str | None = Field(None, max_length=254)
    contact: str | None = Field(None, max_length=32)
    notes: dict[str, str] = {}


class MakeRefund(_Body):
    """A refund that the seller makes on the dashboard."""

    amount: int | None = Field(None, description="Paise; all that is left when not given")
    status: RefundStatus = "processed"


class OpenDispute(_Body):
    """A payer's bank disputes a payment."""

    payment_id: str
    amount: int | None = Field(None, ge=1, description="Paise; all that is left when not given")
    phase: Phase = "chargeback"
    reason_code: str = Field("chargeback", max_length=64)


class Arm(_Body):
    """A fault that the next calls of the API meet."""

    fault: ApiFault
    calls: int = Field(1, ge=1, le=1_000_000)
    after: bool = Field(False, description="Whether the call takes effect and its answer is lost")
    method: Literal["GET", "POST"] | None = None
    about: frozenset[str] = Field(
        frozenset(), description="Parts of paths, such as an id or `orders`; all calls when empty"
    )


@router.get("/account")
async def show_account(state: Controlled) -> dict[str, Any]:
    """What this is, and where its money is (paise)."""
    return {
        "sandbox": True,
        "livemode": False,
        "key_id": state.settings.key_id,
        "webhook_url": state.settings.webhook_address,
        "balance": asdict(state.books.balance()),
    }


@router.post("/pay", responses={204: {"description": "The payer's tab is closed"}})
async def pay_order(asked: Pay, state: Controlled) -> Any:
    """Pay an order; returns what Razorpay's checkout hands to the page."""
    notes: Notes = asked.notes or []
    paid = pay(
        state,
        asked.razorpay_order_id,
        asked.outcome,
        faults=asked.faults,
        fault_calls=asked.fault_calls,
        payer=Payer(asked.email, asked.contact, notes=notes),
    )
    return Response(status_code=204) if paid.payload is None else paid.payload


@router.post("/payments/{payment_id}/authorise")
async def authorise(payment_id: str, state: Controlled) -> Any:
    """Authorise a payment that has failed, late."""
    return state.payments.authorise_late(payment_id)


@router.post("/payments/{payment_id}/refund")
async def refund(payment_id: str, asked: MakeRefund, state: Controlled) -> Any:
    """Refund a payment as on Razorpay's dashboard: nobody's key, nobody's order knows of it."""
    given = {} if asked.amount is None else {"amount": asked.amount}
    return state.refunds.create(payment_id, given, status=asked.status)


@router.post("/refunds/{refund_id}/process")
async def process_refund(refund_id: str, state: Controlled) -> Any:
    """Let a pending refund reach its payer."""
    return state.refunds.process(refund_id)


@router.post("/refunds/{refund_id}/fail")
async def fail_refund(refund_id: str, state: Controlled) -> Any:
    """Let a pending refund fail."""
    return state.refunds.fail(refund_id)


@router.post("/disputes")
async def open_dispute(asked: OpenDispute, state: Controlled) -> Any:
    """Dispute a payment."""
    return state.disputes.open(asked.payment_id, asked.amount, asked.phase, asked.reason_code)


@router.post("/disputes/{dispute_id}/{status}")
async def move_dispute(dispute_id: str, status: ClosedStatus, state: Controlled) -> Any:
    """Let a dispute go on, or end."""
    return state.disputes.move(dispute_id, status)


@router.get("/faults")
async def show_faults(state: Controlled) -> dict[str, Any]:
    """The faults that wait for calls."""
    return {"items": [asdict(one) for one in state.faults.waiting]}


@router.post("/faults", status_code=201)
async def arm(asked: Arm, state: Controlled) -> Arm:
    """Let the next calls meet a fault."""
    state.faults.arm(ArmedFault(asked.fault, asked.calls, asked.after, asked.method, asked.about))
    return asked


@router.delete("/faults", status_code=204)
async def withdraw_faults(state: Controlled) -> None:
    """Forget all faults, and let go of the calls that hang."""
    state.faults.withdraw()


@router.get("/webhooks")
async def show_webhooks(
    state: Controlled,
    webhook_state: Annotated[WebhookState | None, Query(alias="state")] = None,
    order_id: str | None = None,
    count: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """The webhooks, newest first, with what became of them."""
    items = state.webhooks.sent(state=webhook_state, order_id=order_id, count=count, skip=skip)
    return {"livemode": False, "items": items}


@router.post("/webhooks/{event_id}/redeliver", responses={404: {"model": ProblemDocument}})
async def redeliver(event_id: str, state: Controlled) -> dict[str, Any]:
    """Send a webhook once more, as its dashboard does; `status` is what its receiver said."""
    try:
        return {"status": await state.webhooks.redeliver(event_id)}
    except KeyError:
        raise NotFound("There is no such event.", code="event_not_found") from None
