"""Facts of payments, as payment hands them over: idempotent, and answered once they are stored."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tracemypods.contracts.payments import FACTS_PATH, FactIn, FactOut
from tracemypods.kit.internal import calls_from
from tracemypods.order.orders.store import OrderUnknown
from tracemypods.order.state import StateDep

router = APIRouter(tags=["internal"])


@router.post(FACTS_PATH, dependencies=[Depends(calls_from("payment"))])
async def take_fact(body: FactIn, state: StateDep) -> FactOut:
    """Called by payment until it is answered. What follows from the fact is done afterwards."""
    fact = body.fact
    if fact.razorpay_order_id is None or (state.settings.only_live and not fact.livemode):
        return FactOut(outcome="unmatched")
    try:
        order = await state.orders.by_razorpay_order(fact.razorpay_order_id)
    except OrderUnknown:
        return FactOut(outcome="unmatched")
    if order.livemode is not fact.livemode:
        return FactOut(outcome="unmatched")
    _, changed = await state.settlement.take(order, fact, body.source)
    return FactOut(outcome="applied" if changed else "known", order_id=order.id)
