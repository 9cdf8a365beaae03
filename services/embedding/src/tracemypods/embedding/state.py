"""What the embedding service's routes work with."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.embedding.batching import Batcher
from tracemypods.embedding.engines.engine import Engine
from tracemypods.embedding.settings import Settings
from tracemypods.kit.errors import Unavailable

_log = logging.getLogger("tracemypods.embedding")

AGAIN_SECONDS = 2.0


@dataclass
class State:
    """Made once, when the application is created. `dimensions` is 0 until the engine works."""

    settings: Settings
    engine: Engine
    batcher: Batcher
    dimensions: int = 0
    failure: Unavailable | None = None

    async def start(self) -> None:
        """Start the engine, again and again while it fails: what it needs may be away."""
        while not self.dimensions:
            try:
                self.dimensions = await self.engine.start()
            except Unavailable as error:
                self.failure = error
                _log.warning("engine not started", extra={"reason": error.code})
            except Exception:  # noqa: BLE001 - an edge: it shows in the log and at /readyz
                self.failure = Unavailable(
                    "The model cannot be loaded.", code="embedding_not_ready"
                )
                _log.exception("engine not started")
            if not self.dimensions:
                await asyncio.sleep(AGAIN_SECONDS)
        self.batcher.start()
        _log.info("engine started", extra={"space": self.engine.space})

    async def check(self) -> None:
        """Raise Unavailable until the engine has made its first vector."""
        if not self.dimensions:
            raise self.failure or Unavailable(
                "The model is being loaded. Try again in a few seconds.", code="embedding_not_ready"
            )


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.embedding


StateDep = Annotated[State, Depends(get_state)]
