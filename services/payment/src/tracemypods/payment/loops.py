"""Work that goes on for as long as the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tracemypods.kit.errors import Problem

_log = logging.getLogger("tracemypods.payment.loops")

Step = Callable[[], Awaitable[bool]]
"""Does one piece of work; whether there was any."""


@dataclass(frozen=True)
class KeepDoing:
    """Does all the work that there is, and waits until more is announced, at most `seconds`.

    Whatever goes wrong is logged, and tried again after as long.
    """

    name: str
    step: Step
    seconds: float
    announced: asyncio.Event = field(default_factory=asyncio.Event)

    async def after(self, prepared: asyncio.Event) -> None:
        """Begin when all is prepared, and go on for ever."""
        await prepared.wait()
        while True:
            self.announced.clear()
            if await self._do_all():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.seconds):
                        await self.announced.wait()
            else:
                await asyncio.sleep(self.seconds)

    async def _do_all(self) -> bool:
        """Whether nothing went wrong."""
        try:
            while await self.step():
                pass
        except Problem as error:
            _log.warning("work must wait", extra={"work": self.name, "reason": error.code})
        except Exception:  # noqa: BLE001 - an edge: one mistake must not end all further work
            _log.exception("work failed", extra={"work": self.name})
        else:
            return True
        return False
