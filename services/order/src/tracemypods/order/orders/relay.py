"""Publishing what is in orders' outboxes: at once where it was written, later by whoever finds it.

Kafka being away costs nobody anything: entries stay, and go out when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from tracemypods.contracts.events import ORDERS, Envelope
from tracemypods.kit.errors import Problem
from tracemypods.kit.tasks import end
from tracemypods.order.orders import outbox
from tracemypods.order.orders.order import Order
from tracemypods.order.orders.outbox import Gaps
from tracemypods.order.orders.store import Orders

_log = logging.getLogger("tracemypods.order.relay")

BATCH = 50
IDLE_SECONDS = 1.0
MOST_WAITING = 1000
"""Orders that are published at once; more than these are found when they are due."""


class Publishes(Protocol):
    """Kafka, as far as it matters here."""

    async def publish(self, topic: str, envelope: Envelope) -> None:
        """Return once the broker has it. Raises Unavailable `kafka_unavailable`."""


class Relay:
    """Publishes. `now` tells the time in milliseconds; with `only_live` test orders stay."""

    def __init__(
        self,
        orders: Orders,
        publisher: Publishes,
        now: Callable[[], int],
        gaps: Gaps,
        *,
        only_live: bool,
    ) -> None:
        self._orders = orders
        self._publisher = publisher
        self._now = now
        self._gaps = gaps
        self._only_live = only_live
        self._publishing: set[asyncio.Task[None]] = set()

    def publish_soon(self, order: Order, keys: list[str]) -> None:
        """Publish entries that were just written, beside whatever the caller does."""
        if not keys or len(self._publishing) >= MOST_WAITING or self._is_left(order):
            return
        task = asyncio.create_task(self._try(order, keys), name="publish")
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _try(self, order: Order, keys: list[str]) -> None:
        try:
            await self._publish(order, keys)
        except Problem as problem:  # it is due soon, and tried again then
            _log.info("not published", extra={"order": order.id, "reason": problem.code})

    async def keep_publishing(self) -> None:
        """Publish whatever is due, for ever."""
        while True:
            published = 0
            try:
                published = await self.publish_due()
            except Problem as problem:
                _log.warning("outboxes can't be read", extra={"reason": problem.code})
            if published < BATCH:
                await asyncio.sleep(IDLE_SECONDS)

    async def publish_due(self) -> int:
        """Publish what is due now; returns of how many orders that was done. Raises Unavailable."""
        by = self._now() - self._gaps.first_look
        orders = await self._orders.unpublished(by, BATCH)
        return sum(await asyncio.gather(*(self._send(order, by) for order in orders)))

    async def _send(self, order: Order, by: int) -> bool:
        keys = outbox.due(order, by)
        resend = self._gaps.resend
        try:
            if not self._is_left(order):
                await self._publish(order, keys)
            await self._orders.change(
                order, lambda known: outbox.sent(known, keys, self._now(), resend)
            )
        except Problem as problem:
            _log.warning("outbox waits", extra={"order": order.id, "reason": problem.code})
            return False
        return True

    async def _publish(self, order: Order, keys: list[str]) -> None:
        for key in keys:
            await self._publisher.publish(ORDERS, outbox.envelope(order, key))

    def _is_left(self, order: Order) -> bool:
        return self._only_live and order.livemode is not True

    async def close(self) -> None:
        """Finish what is being published, for a moment."""
        if self._publishing:
            await asyncio.wait(set(self._publishing), timeout=1)
        await end(*self._publishing)
