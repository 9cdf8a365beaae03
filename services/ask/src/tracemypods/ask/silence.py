"""The watch over a model server that falls silent while it owes an answer.

A server may be silent for long because it reads a long prompt or serves others first, so silence
alone is no failure. One that is silent is asked whether it is still there: if it says so, it may go
on; if it does not, the answer is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

import aiohttp

from tracemypods.kit.http import DependencyError, DependencyTimeout
from tracemypods.kit.tasks import end

ResultT = TypeVar("ResultT")


class SilenceWatch:
    """Watches one answer. Use as a context manager around it.

    `probe` asks the server whether it is there and raises DependencyError when it is not,
    `silence` is after how many seconds it is asked, `first_text` how many seconds an answer may
    take to begin. One timer watches the whole answer, so that a token costs no more than a look at
    the clock.
    """

    def __init__(
        self, probe: Callable[[], Awaitable[None]], *, silence: float, first_text: float
    ) -> None:
        self._probe = probe
        self._silence = silence
        self._first_text = first_text
        self._clock = asyncio.get_running_loop().time
        self._began_at = self._heard_at = self._clock()
        self._begun = False
        self._interrupt: Callable[[], None] | None = None
        self._failure: DependencyTimeout | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._probing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SilenceWatch:
        self._look_at(self._heard_at + self._silence)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._probing is not None:
            await end(self._probing)
        # Reading fails with the connection that the watch has closed: tell why it did.
        if self._failure is not None and isinstance(error, DependencyError):
            raise self._failure from None

    async def opening(self, work: Awaitable[ResultT]) -> ResultT:
        """Await the beginning of the server's answer.

        Raises DependencyTimeout when the server is not there any more.
        """
        try:
            async with asyncio.timeout(None) as limit:
                self._interrupt = lambda: limit.reschedule(self._clock())
                return await work
        except TimeoutError:
            raise self._failure or DependencyTimeout("models", "interrupted") from None
        finally:
            self._interrupt = None

    def reading(self, response: aiohttp.ClientResponse) -> None:
        """From here on the answer is read from this response."""
        self._interrupt = response.close

    def heard(self) -> None:
        """The server has said something."""
        self._begun = True
        self._heard_at = self._clock()

    def _look_at(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        due = self._heard_at + self._silence
        if self._clock() < due:
            self._look_at(due)
        else:
            self._probing = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Ask the server whether it is there, and interrupt the answer if it is not."""
        try:
            if not self._begun and self._clock() - self._began_at > self._first_text:
                raise DependencyTimeout("models", "no text in time")
            await self._probe()
        except DependencyError as error:
            self._failure = DependencyTimeout("models", error.reason)
            if self._interrupt is not None:
                self._interrupt()
            return
        self._heard_at = self._clock()
        self._look_at(self._heard_at + self._silence)
