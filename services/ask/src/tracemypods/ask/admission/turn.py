"""One question on its way: its share of the quota, its turn at the model, and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.admission.queue import Place
from tracemypods.ask.answers import Delta, Done, Event
from tracemypods.ask.quotas.quotas import Lease
from tracemypods.contracts.tokens import Plan


class Turn:
    """Holds the question's lease and its place from `enter` until its answer has ended.

    Once `answer` runs, both last exactly as long as that does. Whoever makes a Turn calls `abandon`
    in the end, which gives them up where `answer` was never begun. `model` is the model's name on
    its server, `prompt_tokens` what the question counts while its usage is not known.
    """

    def __init__(
        self, queues: ModelQueues, model: str, plan: Plan, lease: Lease, prompt_tokens: int
    ) -> None:
        self._queues = queues
        self._model = model
        self._plan: Plan = plan
        self._lease = lease
        self._prompt_tokens = prompt_tokens
        self._place: Place | None = None
        self._moved = asyncio.Event()
        self._begun = False
        self._over = False

    def enter(self) -> Place:
        """Take a place in the model's queue, unless that was done.

        Raises ModelBusy when the queue is full.
        """
        if self._place is None:
            self._place = self._queues.of(self._model).enter(
                self._plan, lambda _position: self._moved.set()
            )
        return self._place

    async def positions(self) -> AsyncGenerator[int]:
        """The place in the queue (1 is next) whenever it changes, until it is this one's turn.

        Empty where there is nothing to wait for. Raises ModelBusy when the deadline passes. Before
        `enter` it waits for that to be called by whoever makes the answer.
        """
        told = 0
        while not self._over:
            self._moved.clear()
            place = self._place
            if place is not None and not place.position:
                await place.admitted()
                return
            if place is not None and place.position != told:
                told = place.position
                yield told
            else:
                await self._moved.wait()

    async def answer(self, source: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The events of `source`, which is begun when it is this question's turn.

        Raises ModelBusy, and what `source` raises.
        """
        self._begun = True
        used = 0
        try:
            place = self.enter()
            await place.admitted()
            waited = asyncio.get_running_loop().time() - place.entered_at
            self._queues.observe_wait(self._model, self._plan, waited)
            used = self._prompt_tokens
            async with aclosing(source) as events:
                async for event in events:
                    match event:
                        case Delta():
                            used += event.pieces
                        case Done():
                            used = event.usage.total_tokens or used
                            # The model is free: before its caller hears so and asks again.
                            place.leave()
                            self._lease.settle(used)
                    yield event
        finally:
            self._end(used)

    def abandon(self) -> None:
        """Give up what nobody has begun to use. May be repeated."""
        if not self._begun:
            self._end(0)

    def _end(self, used: int) -> None:
        self._over = True
        self._moved.set()
        if self._place is not None:
            self._place.leave()
        self._lease.settle(used)
