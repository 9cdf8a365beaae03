"""Records to Kafka: each one returns when the broker has acknowledged it, or fails in a while."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import KafkaError  # pyright: ignore[reportMissingTypeStubs]

from tracemypods.events import clients
from tracemypods.events.clients import connection, until_unreachable
from tracemypods.events.sealing import MAXIMUM_BYTES, Headers
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit import tasks
from tracemypods.kit.errors import Unavailable

_log = logging.getLogger("tracemypods.events")

UNAVAILABLE = "kafka_unavailable"

_REQUEST_BYTES = 2 * MAXIMUM_BYTES
"""A record with its headers. Dead letters have a few more than what they were."""
_FLUSH_SECONDS = 1.0
"""How long closing waits for what is on its way."""


class Producer:
    """One connection to Kafka, made when it is first needed and shared by all who send.

    What many send at once leaves in batches. When a record can't be sent, the connection is given
    up and the next record makes a new one from the configured addresses: what was on its way may
    then arrive twice, as it may whenever an event is sent again.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._sending: dict[asyncio.Future[Any], asyncio.Task[AIOKafkaProducer]] = {}
        self._closed = False

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Return when the broker has it. Raises Unavailable (`kafka_unavailable`).

        Then it may have it nevertheless.
        """
        if self._closed:
            raise Unavailable("This service is stopping.", code=UNAVAILABLE)
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._watching = asyncio.create_task(self._watch(self._starting))
        starting = self._starting
        try:
            async with asyncio.timeout(self._settings.kafka_publish_seconds):
                await self._send(starting, topic, key, value, headers)
        except (KafkaError, OSError, TimeoutError) as error:
            self._give_up(starting, error)
            raise Unavailable("Kafka does not take events at present.", code=UNAVAILABLE) from error

    async def _send(
        self,
        starting: asyncio.Task[AIOKafkaProducer],
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> None:
        await asyncio.wait({starting})
        if starting.cancelled():
            raise KafkaError("given up")
        producer: Any = starting.result()
        sending = asyncio.ensure_future(
            producer.send_and_wait(topic, value, key, headers=list(headers))
        )
        self._sending[sending] = starting
        try:
            await asyncio.wait({sending})
        finally:
            del self._sending[sending]
            await tasks.end(sending)
        if sending.cancelled():
            raise KafkaError("given up")
        sending.result()

    async def close(self) -> None:
        """End the connection, after a moment for what is on its way."""
        self._closed = True
        if self._starting is not None:
            self._end(self._starting, _FLUSH_SECONDS)
            self._starting = None
        await asyncio.gather(*self._ending)
        for sending in self._sending:
            sending.cancel()

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **connection(self._settings),
            enable_idempotence=True,
            max_request_size=_REQUEST_BYTES,
        )
        clients.leave_nothing_open(producer.client)
        try:
            await producer.start()
        except BaseException:
            await clients.close(producer.client)
            await producer.stop()
            raise
        return producer

    async def _watch(self, starting: asyncio.Task[AIOKafkaProducer]) -> None:
        """Give up a connection as soon as its brokers have moved, not only when one wants it."""
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            await until_unreachable(starting.result().client)
            self._give_up(starting, KafkaError("no known broker can be reached"))

    def _give_up(self, starting: asyncio.Task[AIOKafkaProducer], error: BaseException) -> None:
        """Have the next record begin anew. Others who met the same end have done it already."""
        if starting is self._starting:
            _log.warning("kafka takes no events", extra={"error": repr(error)})
            self._starting = None
            for sending, by in self._sending.items():
                if by is starting:
                    sending.cancel()
            self._end(starting, 0.0)

    def _end(self, starting: asyncio.Task[AIOKafkaProducer], flush_seconds: float) -> None:
        ending = asyncio.create_task(_end(starting, flush_seconds, self._watching))
        self._watching = None
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _end(
    starting: asyncio.Task[AIOKafkaProducer],
    flush_seconds: float,
    watching: asyncio.Task[None] | None,
) -> None:
    """End a producer, whether it has started or not, without waiting for a broker that is away."""
    if watching is not None:
        await tasks.end(watching)
    if not starting.done():
        await tasks.end(starting)
    if starting.cancelled() or starting.exception() is not None:
        return  # it has cleaned up after itself
    producer: Any = starting.result()
    with suppress(TimeoutError):
        async with asyncio.timeout(flush_seconds):
            await producer.flush()
    # `stop` waits for what could not be sent, and an idempotent producer keeps that for ever. So
    # its parts are ended one by one: connections, that nothing waits for answers, and its sender.
    producer._closed = True
    await clients.close(producer.client)
    await tasks.end(producer._sender.sender_task)
    await clients.close(producer.client)
