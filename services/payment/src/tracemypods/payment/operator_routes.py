"""`/api/payments/…`: the inbox, for operators to look at and to have handled again."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from tracemypods.contracts.payments import ReceiptId, Source
from tracemypods.kit.errors import responses
from tracemypods.kit.mongo import Document
from tracemypods.kit.operators import operator
from tracemypods.payment.inbox import State
from tracemypods.payment.personal_data import without_personal_data
from tracemypods.payment.problems import problem_of
from tracemypods.payment.razorpay.errors import RazorpayFailure
from tracemypods.payment.state import StateDep

READ, RETRY = "payments:read", "payments:retry"
"""The scopes."""

router = APIRouter(prefix="/api/payments", tags=["operators"])

EntryId = Annotated[str, Path(pattern=r"^inb_[0-9a-f]{32}$")]
Cursor = Annotated[str | None, Query(pattern=r"^inb_[0-9a-f]{32}$")]
Limit = Annotated[int, Query(ge=1, le=100)]


class Entry(BaseModel):
    """An entry of the inbox. Times are in milliseconds since 1970 in UTC."""

    id: str
    state: State
    source: Source
    event: str | None = Field(description="Razorpay's name of the event, or what was asked")
    event_id: str | None = Field(description="Razorpay's id of the event, if it came with one")
    livemode: bool
    received_at: int
    deliveries: int = Field(description="How often the same has come in")
    attempts: int = Field(description="How often it was handed to order since it came in")
    next_attempt_at: int | None = Field(description="When it is handed over next")
    last_error: str | None = Field(description="Why order has not taken it, or it is unreadable")
    outcome: str | None = Field(description="What order made of it")
    order_id: str | None = Field(description="Our order's id, if order said which")
    handled_at: int | None
    fact: dict[str, Any] | None


class WholeEntry(Entry):
    """An entry with what came in, less what it says about a person."""

    body: Any = Field(
        description="The body; fields that are not known to be harmless are `withheld`. What is no "
        "JSON is not shown"
    )
    body_bytes: int | None = Field(description="Its size")


class EntryPage(BaseModel):
    """Some entries, the newest first; `cursor` asks for the next ones, if there are more."""

    items: list[Entry]
    cursor: str | None = None


class ReconcileRequest(BaseModel):
    """What to ask Razorpay about."""

    model_config = ConfigDict(extra="forbid")

    receipt: ReceiptId | None = Field(
        None, description="One order of ours; everything of the last days when left out"
    )


class Reconciled(BaseModel):
    """What a look at one order found; nothing where everything will be compared soon."""

    payments: int | None = None
    new_facts: int | None = None
    comparison: str | None = None


class LastComparison(BaseModel):
    """The last comparison with Razorpay. Times are in milliseconds since 1970 in UTC."""

    running: bool
    started_at: int | None
    finished_at: int | None
    next_at: int | None
    payments: int | None = Field(description="How many payments Razorpay had")
    refunds: int | None
    disputes: int | None
    new_facts: int | None = Field(description="How many facts nothing else had brought")


@router.get(
    "/unmatched", dependencies=[Depends(operator(READ))], responses=responses(401, 403, 422, 503)
)
async def list_unmatched(state: StateDep, limit: Limit = 20, cursor: Cursor = None) -> EntryPage:
    """Facts that no order of ours belongs to."""
    return _page(await state.inbox.page("unmatched", cursor, limit), limit)


@router.get(
    "/inbox", dependencies=[Depends(operator(READ))], responses=responses(401, 403, 422, 503)
)
async def list_inbox(
    store: StateDep,
    state: Annotated[State | None, Query(description="Only entries in this state")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> EntryPage:
    """What came in, from webhooks and from asking."""
    return _page(await store.inbox.page(state, cursor, limit), limit)


@router.get(
    "/inbox/{entry_id}",
    dependencies=[Depends(operator(READ))],
    responses=responses(401, 403, 404, 422, 503),
)
async def get_entry(entry_id: EntryId, state: StateDep) -> WholeEntry:
    """One entry, with what came in."""
    found = await state.inbox.get(entry_id)
    raw: bytes | None = found.get("raw")
    return WholeEntry(
        **_fields(found),
        body=None if raw is None else _shown(raw),
        body_bytes=None if raw is None else len(raw),
    )


@router.post(
    "/inbox/{entry_id}/retry",
    dependencies=[Depends(operator(RETRY))],
    responses=responses(401, 403, 404, 409, 422, 503),
)
async def retry(entry_id: EntryId, state: StateDep) -> Entry:
    """Hand an entry to order again, whatever has become of it. Harmless, as order knows it."""
    return Entry(**_fields(await state.inbox.retry(entry_id)))


@router.post(
    "/reconcile",
    status_code=202,
    dependencies=[Depends(operator(RETRY))],
    responses=responses(401, 403, 404, 409, 422, 503),
)
async def reconcile(state: StateDep, body: ReconcileRequest | None = None) -> Reconciled:
    """Ask Razorpay about one order now, or have everything compared soon."""
    if body is None or body.receipt is None:
        await state.comparison.hurry()
        return Reconciled(comparison="begun")
    try:
        looked = await state.watching.look_now(body.receipt)
    except RazorpayFailure as error:
        raise problem_of(error) from None
    return Reconciled(payments=looked.payments, new_facts=looked.new_facts)


@router.get(
    "/reconcile", dependencies=[Depends(operator(READ))], responses=responses(401, 403, 503)
)
async def last_comparison(state: StateDep) -> LastComparison:
    """When everything was last compared with Razorpay, and what that found."""
    found = await state.comparison.last()
    counts = ("started_at", "finished_at", "payments", "refunds", "disputes", "new_facts")
    return LastComparison(
        running=bool(found.get("running")),
        next_at=found.get("due_at"),
        **{name: found.get(name) for name in counts},
    )


def _page(found: list[Document], limit: int) -> EntryPage:
    cursor = cast("str", found[-1]["entry_id"]) if len(found) == limit else None
    return EntryPage(items=[Entry(**_fields(one)) for one in found], cursor=cursor)


def _fields(found: Document) -> dict[str, Any]:
    same = (
        *("state", "source", "event", "event_id", "livemode", "received_at", "deliveries"),
        *("attempts", "last_error", "outcome", "order_id", "handled_at", "fact"),
    )
    return {
        "id": found["entry_id"],
        "next_attempt_at": found.get("due_at"),
        **{name: found.get(name) for name in same},
    }


def _shown(raw: bytes) -> Any:
    try:
        return without_personal_data(from_json(raw))
    except ValueError:
        return None
