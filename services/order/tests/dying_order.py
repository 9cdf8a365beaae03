"""The order service, killed with SIGKILL right before or right after its n-th step outside itself.

    python dying_order.py <n>

A step is a write to MongoDB, a call of a service beside, an event sent or one taken in. Steps are
counted over both moments: the first is before the first step, the second after it. With 0 it lives.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tracemypods.events.publishing import Publisher
from tracemypods.kit.serve import run
from tracemypods.order import beside
from tracemypods.order.app import create_app
from tracemypods.order.orders.confirmations import Confirmations
from tracemypods.order.orders.store import Orders
from tracemypods.order.settings import Settings

STEPS: dict[type, tuple[str, ...]] = {
    Orders: ("insert", "lease", "_replace"),
    Publisher: ("publish",),
    Confirmations: ("take",),
}


class Clock:
    """Counts moments, and ends the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._passed = 0

    def moment(self) -> None:
        self._passed += 1
        if self._passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def with_moments(*arguments: Any, **named: Any) -> Any:
            self.moment()
            answer = await step(*arguments, **named)
            self.moment()
            return answer

        return with_moments


def main() -> None:
    clock = Clock(int(sys.argv[1]))
    for owner, names in STEPS.items():
        for name in names:
            setattr(owner, name, clock.around(getattr(owner, name)))
    beside._call = clock.around(beside._call)
    run("order", Settings, create_app)


if __name__ == "__main__":
    main()
