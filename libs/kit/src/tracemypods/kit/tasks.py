"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_SECONDS = 0.5


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until all of them have ended; what they end with is not raised.

    A library may swallow a cancellation (redis-py does, when one comes at the moment an answer
    does), and a loop would then go on for ever. So it is repeated until it takes.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN_SECONDS)
