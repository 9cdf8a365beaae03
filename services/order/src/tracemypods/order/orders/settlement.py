"""Settling what an order is owed: its token issued, suspended or ended, its refunds sent.

What is owed follows from the order alone (machine.py), and every step is idempotent where it is
done, so it does not matter who settles, how often, or where the last one died.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tracemypods.contracts.payments import Fact, RefundIn, Source
from tracemypods.kit.errors import Problem
from tracemypods.order.beside import Payments, Tokens
from tracemypods.order.orders import machine, outbox
from tracemypods.order.orders.order import Order, TokenStatus
from tracemypods.order.orders.store import Orders

_log = logging.getLogger("tracemypods.order.settlement")

SHORTEST_WAIT_MILLISECONDS = 500
LONGEST_WAIT_MILLISECONDS = 60_000
OPEN_MILLISECONDS = 24 * 3600 * 1000
"""How long an order that nobody pays counts among the open ones of its address."""
BATCH = 20
IDLE_SECONDS = 0.5


class Settlement:
    """Takes facts in and settles what follows.

    `now` tells the time in milliseconds; `lease` is for how many of them one settler has an order
    alone. With `only_live` nothing is done for test orders, those that a demo left behind too.
    """

    def __init__(
        self,
        orders: Orders,
        payments: Payments,
        tokens: Tokens,
        publish_soon: Callable[[Order, list[str]], None],
        now: Callable[[], int],
        *,
        lease: int,
        only_live: bool,
    ) -> None:
        self._publish_soon = publish_soon
        self._lease = lease
        self._only_live = only_live
        self._orders = orders
        self._payments = payments
        self._tokens = tokens
        self._now = now

    async def take(self, order: Order, fact: Fact, source: Source) -> tuple[Order, bool]:
        """Let an order know a fact of its own; returns it, and whether that changed anything."""
        changed = False
        added: list[str] = []

        def change(current: Order) -> Order | None:
            nonlocal changed, added
            new = machine.apply(current, fact, source, self._now())
            changed = new is not None
            added = [] if new is None else outbox.added(current, new)
            return new

        order = await self._orders.change(order, change)
        self._publish_soon(order, added)
        return order, changed

    async def settle(self, order_id: str) -> Order | None:
        """Do what an order is owed; None when it is not due, or somebody else has it.

        Raises what stands in the way: a Problem of the services beside, or of MongoDB.
        """
        now = self._now()
        order = await self._orders.lease(order_id, now, now + self._lease)
        if order is None:
            return None
        if self._only_live and order.livemode is False:
            return await self._orders.change(order, _left_alone)
        try:
            return await self._settle(order)
        except Problem as problem:
            _log.warning("order waits", extra={"order": order_id, "reason": problem.code})
            wait = SHORTEST_WAIT_MILLISECONDS * 2 ** min(order.tries, 12)
            until = self._now() + min(wait, LONGEST_WAIT_MILLISECONDS)
            await self._orders.change(order, _waits_until(until))
            raise

    async def _settle(self, order: Order) -> Order:
        while (step := machine.next_token(order)) is not None:
            if order.token in ("issued", "suspended"):
                # Whoever finds it like that, because this one died, tells the token service again.
                change = _token_is(order.token, "unsure", self._now())
                order = await self._orders.change(order, change)
                continue
            await self._tell_token(order, step)
            order = await self._orders.change(order, _token_is(order.token, step, self._now()))
        for refund_id in machine.reserved(order):
            order = await self._send_refund(order, refund_id)
        return await self._orders.change(order, lambda order: _rested(order, self._now()))

    async def _tell_token(self, order: Order, step: TokenStatus) -> None:
        match step:
            case "issued" if order.token == "none":  # noqa: S105 - a state
                live = order.livemode is True
                await self._tokens.issue(order.id, order.plan.days, livemode=live)
            case "issued":
                await self._tokens.resume(order.id)
            case "suspended":
                await self._tokens.suspend(order.id)
            case "revoked":
                await self._tokens.revoke(order.id)
            case "none" | "unsure":
                raise AssertionError("nobody wants that of a token")

    async def _send_refund(self, order: Order, refund_id: str) -> Order:
        refund = order.refunds[refund_id]
        try:
            fact = await self._payments.refund(
                RefundIn(
                    refund_id=refund_id,
                    payment_id=refund.payment_id,
                    amount=refund.amount,
                    reason=refund.reason,
                )
            )
        except Problem as problem:
            if problem.status >= 500:
                raise
            return await self._orders.change(
                order, _refused(refund_id, f"{problem.code}: {problem.detail}", self._now())
            )
        order, _ = await self.take(
            order, fact.model_copy(update={"receipt": refund_id}), "reconciler"
        )
        return order

    async def keep_settling(self) -> None:
        """Settle whatever is due, for ever."""
        while True:
            try:
                worked = await self.settle_due()
            except Problem as error:
                _log.warning("orders can't be looked for", extra={"reason": error.code})
                worked = 0
            if not worked:
                await asyncio.sleep(IDLE_SECONDS)

    async def settle_due(self) -> int:
        """Settle what is due now; returns how many orders were looked at."""
        due = await self._orders.due(self._now(), BATCH)
        await asyncio.gather(*(self._settle_one(order_id) for order_id in due))
        return len(due)

    async def _settle_one(self, order_id: str) -> None:
        try:
            await self.settle(order_id)
        except Problem as problem:  # which was noted, or MongoDB is away and the lease runs out
            _log.info("order not settled", extra={"order": order_id, "reason": problem.code})


def _token_is(before: TokenStatus, after: TokenStatus, now: int) -> Callable[[Order], Order | None]:
    def change(order: Order) -> Order | None:
        if order.token != before:
            return None  # somebody else told it, and noted that
        changed = order.model_copy(update={"token": after})
        return machine.settled(changed, f"token {after}", "order", now)

    return change


def _refused(refund_id: str, problem: str, now: int) -> Callable[[Order], Order | None]:
    def change(order: Order) -> Order | None:
        refund = order.refunds[refund_id]
        if refund.state != "reserved":
            return None
        refused = refund.model_copy(update={"state": "refused", "problem": problem[:300]})
        changed = order.model_copy(update={"refunds": {**order.refunds, refund_id: refused}})
        return machine.settled(changed, f"refund {refund_id}: refused", "order", now)

    return change


def _waits_until(until: int) -> Callable[[Order], Order]:
    def change(order: Order) -> Order:
        due_at = until if machine.is_owing(order) else order.due_at
        return order.model_copy(update={"due_at": due_at, "leased_until": 0})

    return change


def _left_alone(order: Order) -> Order:
    return order.model_copy(update={"due_at": None, "leased_until": 0})


def _rested(order: Order, now: int) -> Order:
    """Let go of an order, to be looked at again when something is owed or it expires."""
    changes: dict[str, Any] = {"leased_until": 0, "tries": 0}
    if order.paying is None and not order.expired and not machine.is_owing(order):
        expires_at = order.created_at + OPEN_MILLISECONDS
        if now < expires_at:
            changes["due_at"] = expires_at
        else:
            changes |= {"due_at": None, "expired": True, "slot": None}
    elif not machine.is_owing(order):
        changes["due_at"] = None
    return order.model_copy(update=changes)
