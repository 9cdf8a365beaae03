"""Hands facts to order until it has taken them."""

from __future__ import annotations

import asyncio
import json
import logging

from pydantic import ValidationError

from tracemypods.contracts.payments import FACTS_PATH, Fact, FactIn, FactOut
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.http import DependencyError, HttpClient
from tracemypods.kit.tasks import end
from tracemypods.payment.events import UnreadableEvent, read_event
from tracemypods.payment.inbox import Claimed, Inbox
from tracemypods.payment.leases import pause_milliseconds
from tracemypods.payment.metrics import PaymentMetrics

_log = logging.getLogger("tracemypods.payment.handover")

AT_ONCE = 8
"""How many facts are on their way to order at the same time."""
NOTING_SECONDS = 5.0
"""How long it takes at most to write down what order said, with time to spare."""


class NotTaken(Exception):
    """Order did not take a fact now. The message says why, for operators."""


class HandOver:
    """Takes entries from the inbox, some at a time, and hands each to order."""

    def __init__(
        self,
        inbox: Inbox,
        order: HttpClient,
        metrics: PaymentMetrics,
        *,
        order_seconds: float,
        longest_pause: float,
    ) -> None:
        """`order_seconds` is how long a call may take, `longest_pause` is between two attempts."""
        self._inbox = inbox
        self._order = order
        self._metrics = metrics
        self._lease = int((order_seconds + NOTING_SECONDS) * 1000)
        self._longest_pause = longest_pause
        self._running: set[asyncio.Task[None]] = set()
        self._reserved = 0

    def reserve(self) -> int:
        """Room for an entry that is just being stored: its lease, milliseconds; 0 for no room.

        Where there is room, `begin` is called in any case.
        """
        if not self._room():
            return 0
        self._reserved += 1
        return self._lease

    def begin(self, entry: Claimed | None) -> None:
        """Use the room that was reserved, or give it back."""
        self._reserved -= 1
        if entry is not None:
            self._start(entry)

    async def step(self) -> bool:
        """Begin with as many entries as there is room for; whether there were any.

        Raises Unavailable.
        """
        while self._running and not self._room():
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        claimed = await self._inbox.claim(max(1, self._room()), self._lease)
        for one in claimed:
            self._start(one)
        return bool(claimed)

    def _room(self) -> int:
        return max(0, AT_ONCE - len(self._running) - self._reserved)

    def _start(self, entry: Claimed) -> None:
        task = asyncio.create_task(self._hand_over(entry))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Break off what is on its way; it is due again when its lease ends."""
        await end(*self._running)

    async def _hand_over(self, entry: Claimed) -> None:
        try:
            await self._settle(entry)
        except Unavailable as error:  # due again when the lease ends
            _log.warning("hand-over not noted", extra={"reason": error.code})
        except Exception:  # noqa: BLE001 - an edge: the entry is due again when its lease ends
            _log.exception("hand-over failed")
            self._metrics.handed_over.labels("error").inc()

    async def _settle(self, entry: Claimed) -> None:
        try:
            fact = _fact(entry)
        except UnreadableEvent as error:
            await self._inbox.unreadable(entry, str(error))
            return
        if fact is None:
            await self._inbox.without_fact(entry)
            return
        try:
            out = await self._hand(FactIn(source=entry.source, fact=fact))
        except NotTaken as error:
            self._metrics.handed_over.labels("failed").inc()
            _log.warning(
                "fact not taken",
                extra={"fact": fact.id, "attempts": entry.attempts, "reason": str(error)},
            )
            pause = pause_milliseconds(entry.attempts, self._longest_pause)
            await self._inbox.failed(entry, str(error), pause)
            return
        self._metrics.handed_over.labels(out.outcome).inc()
        if out.outcome == "unmatched":
            _log.warning("fact without an order", extra={"fact": fact.id, "kind": fact.kind})
        await self._inbox.accepted(entry, out)

    async def _hand(self, fact: FactIn) -> FactOut:
        try:
            status, content = await self._order.call("POST", FACTS_PATH, fact.model_dump())
        except DependencyError as error:
            raise NotTaken(str(error)) from None
        if status != 200:
            raise NotTaken(f"order answered {status} {_code(content)}".rstrip())
        try:
            return FactOut.model_validate_json(content)
        except ValidationError:
            raise NotTaken("order's answer cannot be read") from None


def _fact(entry: Claimed) -> Fact | None:
    """An entry's fact; one that could not be read may have been mended by an upgrade."""
    if entry.fact is None and entry.raw is not None:
        return read_event(entry.raw, entry.livemode).fact
    return entry.fact


def _code(content: bytes) -> str:
    """The code in a problem document; empty where there is none."""
    try:
        found = json.loads(content)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return str(found)[:100]
