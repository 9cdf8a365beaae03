"""The queue before one model: as many at once as its server runs, the others wait their turn.

It lives in this process: every replica of ask has its own, so a model server behind several
replicas is given a share of its slots on each (the setting counts per replica).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from tracemypods.contracts.tokens import Plan
from tracemypods.kit.errors import Unavailable

MOST_PREMIUM_IN_A_ROW = 3
"""After so many premium callers a free one who waits comes first."""

RETRY_AFTER_SECONDS = 5

Moved = Callable[[int], None]
"""Is told a caller's new position: 1 is next, 0 waits no longer (admitted, or turned away)."""


class ModelBusy(Unavailable):
    """Too many ask this model already, or it took too long until it was this caller's turn."""

    def __init__(self) -> None:
        super().__init__(
            "Too many questions wait for this model. Try again in a few seconds.",
            code="model_busy",
            retry_after=RETRY_AFTER_SECONDS,
        )


class Place:
    """One caller's place in the queue and, once it was admitted, its slot."""

    def __init__(self, queue: ModelQueue, plan: Plan, moved: Moved) -> None:
        self.plan: Plan = plan
        self.position = 0
        self.entered_at = asyncio.get_running_loop().time()
        self._queue = queue
        self._moved = moved
        self._decided = asyncio.Event()
        self._turned_away = False
        self._left = False
        self._deadline: asyncio.TimerHandle | None = None

    async def admitted(self) -> None:
        """Wait for the slot.

        Raises ModelBusy when the deadline passes first.
        """
        await self._decided.wait()
        if self._turned_away:
            raise ModelBusy

    @property
    def turned_away(self) -> bool:
        """Whether the deadline has passed."""
        return self._turned_away

    def leave(self) -> None:
        """Give the place or the slot up, for the next one to have it at once. May be repeated."""
        if not self._left:
            self._left = True
            self._stop_timer()
            self._queue.left(self, had_slot=self._decided.is_set() and not self._turned_away)

    def wait_until(self, deadline: float) -> None:
        """Turn the caller away at `deadline`, in the loop's seconds."""
        self._deadline = asyncio.get_running_loop().call_at(deadline, self._give_up)

    def admit(self) -> None:
        """The slot is this caller's from now on."""
        self._stop_timer()
        self._decided.set()
        self.move(0)

    def move(self, position: int) -> None:
        """Take a position in the queue."""
        self.position = position
        self._moved(position)

    def _give_up(self) -> None:
        self._turned_away = True
        self.leave()
        self._decided.set()
        self.move(0)

    def _stop_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()


def _nobody_watches(_position: int) -> None:
    pass


class ModelQueue:
    """`slots` callers are served at once, `places` wait for at most `deadline` seconds.

    Premium callers come first, but at most MOST_PREMIUM_IN_A_ROW of them while a free one waits.
    Within a plan it is first come, first served.
    """

    def __init__(self, *, slots: int, places: int, deadline: float) -> None:
        self._slots = slots
        self._places = places
        self._seconds = deadline
        self._premium: deque[Place] = deque()
        self._free: deque[Place] = deque()
        self._premium_in_a_row = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._premium) + len(self._free)

    def enter(self, plan: Plan, moved: Moved = _nobody_watches) -> Place:
        """Take a slot if one is free, and a place in the queue otherwise. The caller leaves it.

        Raises ModelBusy when the queue is full.
        """
        if self.running >= self._slots and self.waiting >= self._places:
            raise ModelBusy
        place = Place(self, plan, moved)
        place.wait_until(place.entered_at + self._seconds)
        (self._premium if plan == "premium" else self._free).append(place)
        self._advance()
        return place

    @asynccontextmanager
    async def slot(self, plan: Plan, moved: Moved = _nobody_watches) -> AsyncGenerator[Place]:
        """Wait for a slot and hold it while the block runs.

        Raises ModelBusy when the queue is full or the deadline passes.
        """
        place = self.enter(plan, moved)
        try:
            await place.admitted()
            yield place
        finally:
            place.leave()

    def left(self, place: Place, *, had_slot: bool) -> None:
        """A caller has gone (Place.leave says so): its slot or place is somebody else's now."""
        if had_slot:
            self.running -= 1
        else:
            (self._premium if place.plan == "premium" else self._free).remove(place)
        self._advance()

    def _advance(self) -> None:
        """Fill the free slots, and tell those who wait where they stand now."""
        while self.running < self._slots and self.waiting:
            premium = _premium_is_next(self._premium, self._free, self._premium_in_a_row)
            self._premium_in_a_row = _in_a_row(premium, self._free, self._premium_in_a_row)
            self.running += 1
            (self._premium if premium else self._free).popleft().admit()
        for position, place in enumerate(self._order(), start=1):
            if place.position != position:
                place.move(position)

    def _order(self) -> list[Place]:
        """Those who wait in the order in which they would be admitted if nobody else came."""
        premium, free, in_a_row = deque(self._premium), deque(self._free), self._premium_in_a_row
        order: list[Place] = []
        while premium or free:
            first = _premium_is_next(premium, free, in_a_row)
            in_a_row = _in_a_row(first, free, in_a_row)
            order.append((premium if first else free).popleft())
        return order


def _premium_is_next(premium: deque[Place], free: deque[Place], in_a_row: int) -> bool:
    return bool(premium) and (not free or in_a_row < MOST_PREMIUM_IN_A_ROW)


def _in_a_row(premium_next: bool, free: deque[Place], in_a_row: int) -> int:
    """How many premium callers will have passed free ones who wait, after the next admission."""
    return in_a_row + 1 if premium_next and free else 0
