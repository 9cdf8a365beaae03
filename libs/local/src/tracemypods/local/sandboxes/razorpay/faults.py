"""What can go wrong on demand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from tracemypods.kit.app import Draining


class PayFault(StrEnum):
    """What goes wrong with one payment and with what follows from it."""

    DUPLICATE = "duplicate"
    """Its webhooks are sent twice, under the same event ids."""
    REORDER = "reorder"
    """Its webhooks are sent last first."""
    DELAY = "delay"
    """Its webhooks are sent late."""
    LOSE = "lose"
    """Its webhooks are not sent."""
    DOUBLE_PAYMENT = "double_payment"
    """The order is paid a second time, also one that is paid already."""
    WRONG_AMOUNT = "wrong_amount"
    """One rupee less is paid than the order asks for (or more, if else too little were left)."""
    HTTP_500 = "http_500"
    """The next call about the order or the payment is answered with 500."""
    TIMEOUT = "timeout"
    """The next call about the order or the payment hangs."""
    LATE_AUTHORISATION = "late_authorisation"
    """The payment fails, and is authorised (and captured) later."""
    CLOSED_TAB = "closed_tab"
    """The payer's tab is closed: the page never hears of the payment."""


class ApiFault(StrEnum):
    """What goes wrong with calls of the API."""

    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    TIMEOUT = "timeout"
    """The call hangs: for `hang_seconds`, or until faults are withdrawn."""
    REFUND_SLOW = "refund_slow"
    """A refund hangs before anything happens, so that its idempotency key is in use meanwhile."""
    REFUND_PENDING = "refund_pending"
    """A refund stays pending until it is processed or failed by hand."""
    REFUND_FAILS = "refund_fails"
    """A refund is created, and fails at once."""


OF_REFUNDS = frozenset({ApiFault.REFUND_SLOW, ApiFault.REFUND_PENDING, ApiFault.REFUND_FAILS})


@dataclass
class ArmedFault:
    """A fault that waits for calls to meet."""

    fault: ApiFault
    calls: int
    """How many calls it meets."""
    after: bool = False
    """Whether the call takes effect, and only its answer is lost."""
    method: str | None = None
    """Only calls of this method."""
    about: frozenset[str] = field(default_factory=frozenset[str])
    """Only calls whose path names one of these; all when empty."""

    def meets(self, method: str, path: str) -> bool:
        """Whether a call is one of those."""
        parts = set(path.split("/"))
        return self.method in (None, method) and (not self.about or bool(self.about & parts))


class ArmedFaults:
    """The faults that wait, in the order in which they were armed."""

    def __init__(self) -> None:
        self.waiting: list[ArmedFault] = []
        self._withdrawn = asyncio.Event()

    def arm(self, fault: ArmedFault) -> None:
        """Let a fault wait for calls."""
        self.waiting.append(fault)

    def withdraw(self) -> None:
        """Forget all faults, and let go of the calls that hang."""
        self.waiting.clear()
        self._withdrawn.set()
        self._withdrawn = asyncio.Event()

    def take(self, kinds: frozenset[ApiFault], method: str, path: str) -> ArmedFault | None:
        """The fault of one of these kinds that a call meets, if any; it is used up a bit."""
        for one in self.waiting:
            if one.fault in kinds and one.meets(method, path):
                one.calls -= 1
                if one.calls <= 0:
                    self.waiting.remove(one)
                return one
        return None

    async def hang(self, seconds: float, draining: Draining) -> None:
        """Wait that long, or until faults are withdrawn or the sandbox is told to stop."""
        withdrawn = asyncio.ensure_future(self._withdrawn.wait())
        try:
            await asyncio.wait(
                {withdrawn, draining.future()},
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            withdrawn.cancel()
