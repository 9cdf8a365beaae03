"""Refused credentials (401) are answered at most so often a second.

Whoever tries tokens or keys as fast as a core offers them would otherwise take all of this
process's time from everybody else, since a refusal costs about as much as a good answer. A few at
once are never held up, so nobody notices who merely holds an old token.
"""

from __future__ import annotations

import asyncio

REFUSALS_PER_SECOND = 2000
BURST = 200


class Pace:
    """Lets `burst` callers through at once, and then `per_second`; the others wait their turn."""

    def __init__(self, per_second: float = REFUSALS_PER_SECOND, burst: int = BURST) -> None:
        self._seconds_each = 1 / per_second
        self._saved = burst / per_second
        self._next = float("-inf")

    async def turn(self) -> None:
        """Return when it is this caller's turn. First come, first served."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        turn = max(self._next, now - self._saved)
        self._next = turn + self._seconds_each
        if turn > now:
            await asyncio.sleep(turn - now)
