"""Work that goes on for as long as its service runs, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from tracemypods.kit import tasks

_log = logging.getLogger("tracemypods.events")

PAUSE_SECONDS = 1.0


async def keep_running(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do `work`, for ever: when it ends, with whatever error, that is logged and it begins anew.

    Of a task that nobody awaits, the end would be noticed by nobody.
    """
    while True:
        task = asyncio.create_task(work(), name=name)
        try:
            await asyncio.wait({task})
        finally:
            await tasks.end(task)
        error = None if task.cancelled() else task.exception()
        _log.error("work has ended, and begins anew", extra={"work": name}, exc_info=error)
        await asyncio.sleep(PAUSE_SECONDS)
