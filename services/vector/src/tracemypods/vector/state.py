"""What the vector service's routes work with."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.kit.errors import Problem, Unavailable
from tracemypods.vector.entries import Entries
from tracemypods.vector.metrics import VectorMetrics
from tracemypods.vector.settings import Settings
from tracemypods.vector.stores.store import Store

_log = logging.getLogger("tracemypods.vector")

AGAIN_SECONDS = 1.0


@dataclass
class State:
    """Made once, when the application is created."""

    settings: Settings
    store: Store
    entries: Entries
    metrics: VectorMetrics
    started: bool = False
    failure: Problem | None = None

    async def start(self) -> None:
        """Start the store, again and again until it is there."""
        while not self.started:
            try:
                await self.store.start()
                self.started = True
            except Problem as error:
                self.failure = error
                _log.warning("store not started", extra={"reason": error.code})
                await asyncio.sleep(AGAIN_SECONDS)

    async def check(self) -> None:
        """Return when the store answers. Raises Unavailable."""
        self.check_started()
        await self.store.check()

    def check_started(self) -> None:
        """Raise Unavailable until the store has been started."""
        if not self.started:
            raise self.failure or Unavailable(
                "The store is being opened. Try again in a few seconds.",
                code="vector_store_not_ready",
            )


def get_state(request: Request) -> State:
    """The state of the application that handles this request. Raises Unavailable too early."""
    state: State = request.app.state.vector
    state.check_started()
    return state


StateDep = Annotated[State, Depends(get_state)]
