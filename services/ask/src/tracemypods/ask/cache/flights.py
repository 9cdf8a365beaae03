"""One upstream call for all who ask the same at the same time, on this replica.

A flight runs in a task of its own, so that whoever began it may leave while others follow. It ends
when its answer does, or when nobody follows any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from tracemypods.ask.answers import Done, Event
from tracemypods.ask.completions import Interrupted
from tracemypods.kit.errors import Problem, as_problem
from tracemypods.kit.tasks import end

_log = logging.getLogger("tracemypods.ask.flights")

UNATTENDED_SECONDS = 5.0
"""A flight that nobody has begun to follow by then is ended."""

AUDIENCE_SECONDS = 1.0
"""How often is looked whether other replicas still follow a flight that nobody follows here."""


class Flight:
    """One answer that is being made, and those who follow it.

    `audience` tells whether another replica follows; once it says that none does, none begins to.
    """

    def __init__(
        self, source: AsyncGenerator[Event], audience: Callable[[], Awaitable[bool]]
    ) -> None:
        self._source = source
        self._audience = audience
        self._events: list[Event] = []
        self._failure: Problem | None = None
        self._complete = False
        self._ended = False
        self._deserted = False
        self._grown = asyncio.Event()
        self._followers = 0
        self._task = asyncio.create_task(self._run())
        self._leaving: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._unattended = loop.call_later(UNATTENDED_SECONDS, self._left)

    @property
    def open(self) -> bool:
        """Whether more may come. A deserted one only takes its time to end."""
        return not self._ended and not self._deserted

    async def follow(self) -> AsyncGenerator[Event]:
        """The answer from its beginning. Raises the Problem that it ends with."""
        self._followers += 1
        position = 0
        try:
            while True:
                while position < len(self._events):
                    yield self._events[position]
                    position += 1
                if self._ended:
                    break
                await self._grown.wait()
            if self._failure is not None:
                raise self._failure
        finally:
            self._followers -= 1
            self._left()

    async def close(self) -> None:
        """End it, whoever follows."""
        self._unattended.cancel()
        await end(*(task for task in (self._leaving, self._task) if task))

    async def _run(self) -> None:
        try:
            async with aclosing(self._source) as source:
                async for event in source:
                    self._complete = isinstance(event, Done)
                    self._events.append(event)
                    self._wake()
        except Problem as problem:
            self._failure = problem
        except asyncio.CancelledError:
            self._failure = Interrupted("Everybody who asked this has left.")
            raise
        except Exception as error:  # noqa: BLE001 - nobody awaits this task, so it is told here
            _log.exception("an answer failed")
            self._failure = as_problem(error)
        finally:
            self._ended = True
            self._unattended.cancel()
            self._wake()

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _left(self) -> None:
        # An answer that is complete only has to be kept and passed on.
        over = self._ended or self._complete
        if not self._followers and not over and self._leaving is None:
            self._leaving = asyncio.create_task(self._end_when_deserted())

    async def _end_when_deserted(self) -> None:
        try:
            while not self._ended and not self._followers:
                if not await self._audience():
                    # Unless somebody has come, or the end, while we looked.
                    if not self._followers and not self._complete:
                        self._deserted = True
                        self._task.cancel()
                    return
                await asyncio.sleep(AUDIENCE_SECONDS)
        finally:
            self._leaving = None


class Flights:
    """The answers that are being made on this replica, by their cache keys."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}

    def get(self, key: str) -> Flight | None:
        """The flight that is under way for a key."""
        flight = self._open.get(key)
        return flight if flight is not None and flight.open else None

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(flight.close() for flight in self._open.values()))

    def start(
        self, key: str, source: AsyncGenerator[Event], audience: Callable[[], Awaitable[bool]]
    ) -> Flight:
        """Begin a flight, when `get` has just said that there is none."""
        for ended in [known for known, flight in self._open.items() if not flight.open]:
            del self._open[ended]
        flight = self._open[key] = Flight(source, audience)
        return flight
