"""What happens to one record: it is handled, or kept as a dead letter, and tried until it is."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from tracemypods.contracts.events import Envelope, Topic
from tracemypods.events.dead_letters import DeadLetter, Unhandleable, write
from tracemypods.events.liveness import Liveness
from tracemypods.events.producing import Producer
from tracemypods.events.sealing import Unopened, unseal
from tracemypods.events.tracing import span
from tracemypods.kit import tasks
from tracemypods.kit.errors import Problem

_log = logging.getLogger("tracemypods.events")

Handle = Callable[[Envelope], Awaitable[None]]
OnDead = Callable[[DeadLetter], Awaitable[None]]

FIRST_PAUSE_SECONDS = 0.2
UNFORESEEN_TRIES = 5
"""So often an event is tried whose handler fails with an error that nothing foresaw."""


@dataclass(frozen=True)
class Handler:
    """One service's way with the records of one topic."""

    topic: Topic
    consumer: str
    key: SecretStr
    handle: Handle
    on_dead: OnDead | None
    producer: Producer
    longest_pause: float
    liveness: Liveness

    async def take(self, record: Any) -> None:
        """Return when the record is done with: its effects are there, or it is a dead letter.

        That may be never; cancel it when somebody else is to have the record.
        """
        try:
            envelope = unseal(
                self.topic, self.consumer, record.key, record.value, record.headers, self.key
            )
        except Unopened as error:
            await self._bury(record, f"{error.reason}: {error}")
            return
        reason = await self._effects(envelope, record.partition)
        if reason is None:
            self.liveness.handled += 1
        else:
            await self._bury(record, reason)

    async def _effects(self, envelope: Envelope, partition: int) -> str | None:
        """Have the event handled; returns why it never will be, or None when it is."""
        unforeseen = tries = 0
        while True:
            with span("process", self.topic.name, envelope.traceparent):
                error = await _outcome(self.handle(envelope))
            if error is None:
                self.liveness.retrying.discard(partition)
                return None
            if isinstance(error, Unhandleable):
                return f"unhandleable: {error.reason}"
            about = {"topic": self.topic.name, "event": envelope.id, "type": envelope.type}
            if isinstance(error, Problem):
                _log.warning("event is tried again", extra={**about, "code": error.code})
            else:
                unforeseen += 1
                _log.error("handling an event failed", extra=about, exc_info=error)
                if unforeseen == UNFORESEEN_TRIES:
                    return f"failed: {type(error).__name__}"
            self.liveness.retrying.add(partition)
            await asyncio.sleep(self._pause(tries))
            tries += 1

    async def _bury(self, record: Any, reason: str) -> None:
        letter = DeadLetter(
            self.topic.name,
            record.partition,
            record.offset,
            self.consumer,
            reason,
            record.key,
            record.value,
            tuple((name, value or b"") for name, value in record.headers),
        )
        _log.error(
            "event can't be handled",
            extra={
                "topic": letter.topic,
                "partition": letter.partition,
                "offset": letter.offset,
                "reason": reason,
            },
        )
        await self._until_done(lambda: write(letter, self.producer), letter.partition)
        if self.on_dead is not None:
            told = self.on_dead
            await self._until_done(lambda: told(letter), letter.partition)
        self.liveness.retrying.discard(letter.partition)
        self.liveness.dead += 1

    async def _until_done(self, work: Callable[[], Awaitable[None]], partition: int) -> None:
        tries = 0
        while (error := await _outcome(work())) is not None:
            _log.warning("dead letter is kept later", extra={"error": repr(error)})
            self.liveness.retrying.add(partition)
            await asyncio.sleep(self._pause(tries))
            tries += 1

    def _pause(self, tries: int) -> float:
        return pause(tries, self.longest_pause)


def pause(tries: int, longest: float) -> float:
    """Growing pauses, each somewhere between half and all of its length."""
    return min(longest, FIRST_PAUSE_SECONDS * 2 ** min(tries, 30)) * random.uniform(0.5, 1)  # noqa: S311


async def _outcome(work: Awaitable[None]) -> BaseException | None:
    """What work raises, whatever that is; nothing that a service does may end its reader."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    finally:
        await tasks.end(task)
    return asyncio.CancelledError() if task.cancelled() else task.exception()
