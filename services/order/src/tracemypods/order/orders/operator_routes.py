"""`/api/orders`: operators look at orders and give money back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.kit.errors import Problem, responses
from tracemypods.kit.operators import operator
from tracemypods.order.orders import machine
from tracemypods.order.orders.order import ORDER_ID, Order, Status
from tracemypods.order.orders.refunds import refund_id, reserve
from tracemypods.order.state import StateDep

READ, REFUND = "orders:read", "orders:refund"
"""The scopes."""

router = APIRouter(prefix="/api/orders", tags=["operators"])

OrderId = Annotated[str, Path(pattern=ORDER_ID)]


class OrderLine(BaseModel):
    """An order in a list. Money is in paise, times are Unix times in milliseconds."""

    order_id: str
    status: Status
    created_at: int
    email: str
    plan: str
    total: int
    currency: str
    livemode: bool | None
    exceptions: list[str] = Field(description="What somebody should look at")


class OrderList(BaseModel):
    """Orders, the newest first; `cursor` asks for older ones, if there are more."""

    items: list[OrderLine]
    cursor: str | None = None


class OrderDetail(OrderLine):
    """All that is known of an order."""

    order: dict[str, Any]


class RefundIn(BaseModel):
    """How much is given back, in paise; all that is left when nothing is said."""

    model_config = ConfigDict(extra="forbid")

    amount: int | None = Field(None, ge=1, strict=True)


class RefundOut(BaseModel):
    """A refund of an order."""

    refund_id: str
    state: str
    amount: int


@router.get("", dependencies=[Depends(operator(READ))], responses=responses(401, 403, 422, 503))
async def list_orders(
    state: StateDep,
    cursor: Annotated[str | None, Query(pattern=ORDER_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> OrderList:
    """List orders, the newest first."""
    found = await state.orders.page(cursor, limit)
    return OrderList(
        items=[OrderLine(**_line(order)) for order in found],
        cursor=found[-1].id if len(found) == limit else None,
    )


@router.get(
    "/{order_id}",
    dependencies=[Depends(operator(READ))],
    responses=responses(401, 403, 404, 422, 503),
)
async def show_order(order_id: OrderId, state: StateDep) -> OrderDetail:
    """Show an order with its payments, refunds, disputes and history."""
    order = await state.orders.get(order_id)
    hidden = {"idempotency_key", "body_hash", "slot", "leased_until"}
    return OrderDetail(**_line(order), order=order.model_dump(exclude=hidden, exclude_none=True))


@router.post(
    "/{order_id}/refunds",
    status_code=202,
    responses=responses(400, 401, 403, 404, 409, 413, 422, 503),
)
async def refund(
    order_id: OrderId,
    body: RefundIn,
    state: StateDep,
    name: Annotated[str, Depends(operator(REFUND))],
    idempotency_key: Annotated[str, Header(pattern=r"^[A-Za-z0-9_-]{8,100}$")],
) -> RefundOut:
    """Give money back. It is reserved at once, and Razorpay is asked until it answers.

    All of it ends the token; a part leaves it as it is.
    """
    wanted = refund_id(order_id, idempotency_key)
    now = state.now()
    order = await state.orders.change(
        await state.orders.get(order_id),
        lambda current: reserve(current, wanted, body.amount, name, now),
    )
    try:
        order = await state.settlement.settle(order_id) or order
    except Problem:  # it is done later
        order = await state.orders.get(order_id)
    known = order.refunds[wanted]
    return RefundOut(refund_id=wanted, state=known.state, amount=known.amount)


def _line(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "status": machine.status(order),
        "created_at": order.created_at,
        "email": order.email,
        "plan": order.plan.id,
        "total": order.price.total,
        "currency": order.price.currency,
        "livemode": order.livemode,
        "exceptions": machine.exceptions(order),
    }
