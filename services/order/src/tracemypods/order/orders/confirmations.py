"""Taking in what deliver says of documents: the entries of an outbox end with it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from tracemypods.contracts.events import (
    DELIVERED,
    DELIVERY_FAILED,
    Delivered,
    DeliveryFailed,
    Envelope,
)
from tracemypods.events.dead_letters import Unhandleable
from tracemypods.order.orders import machine, outbox
from tracemypods.order.orders.order import Event, Order
from tracemypods.order.orders.store import Orders, OrderUnknown


class Confirmations:
    """Handles the events of deliver. `now` tells the time in milliseconds."""

    def __init__(self, orders: Orders, now: Callable[[], int]) -> None:
        self._orders = orders
        self._now = now

    async def take(self, envelope: Envelope) -> None:
        """Note what has become of a document.

        Raises Unhandleable for what makes no sense here, and Unavailable when MongoDB is away.
        """
        said = _read(envelope)
        if said is None:  # of a later version
            return
        order_id, key = outbox.key_of(said.confirms)
        if order_id != said.order_id or order_id != envelope.key:
            raise Unhandleable("it confirms the event of another order")
        try:
            order = await self._orders.get(order_id)
        except OrderUnknown:
            raise Unhandleable("there is no such order") from None
        if key not in order.outbox:
            raise Unhandleable("the order has told no such thing")
        await self._orders.change(order, lambda known: confirmed(known, key, said, self._now()))


def confirmed(order: Order, key: str, said: Delivered | DeliveryFailed, now: int) -> Order | None:
    """The order once it is known what has become of an entry; None where that was known."""
    entry = order.outbox[key]
    if entry.state == "delivered":
        return None
    if isinstance(said, Delivered):
        changed = entry.model_copy(
            update={
                "state": "delivered",
                "send_at": None,
                "number": said.number,
                "problem": None,
            }
        )
        what = f"{said.kind} {said.number}: mailed"
    else:
        if entry.state == "failed" and entry.problem == said.reason:
            return None
        changed = entry.model_copy(
            update={
                "state": "failed",
                "send_at": now + outbox.FAILED_MILLISECONDS,
                "problem": said.reason[:300],
            }
        )
        what = f"{said.kind}: not delivered"
    order = outbox.with_outbox(order, {**order.outbox, key: changed})
    history = [*order.history, Event(at=now, what=what, source="deliver")][-machine.EVENTS_KEPT :]
    return order.model_copy(update={"history": history})


def _read(envelope: Envelope) -> Delivered | DeliveryFailed | None:
    kinds = {DELIVERED: Delivered, DELIVERY_FAILED: DeliveryFailed}
    if (kind := kinds.get(envelope.type)) is None:
        return None
    try:
        return kind.model_validate(envelope.body)
    except ValidationError as error:
        raise Unhandleable(f"{error.error_count()} fields of its body are wrong") from None
