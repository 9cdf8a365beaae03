"""Reading events: each at least once, those of one partition in order, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import CommitFailedError, IllegalStateError  # pyright: ignore[reportMissingTypeStubs]
from pydantic import SecretStr

from tracemypods.contracts.events import TOPICS, Topic
from tracemypods.events import clients
from tracemypods.events.clients import connection, until_stuck, until_unreachable
from tracemypods.events.handling import Handle, Handler, OnDead, pause
from tracemypods.events.liveness import Liveness, LivenessMetrics
from tracemypods.events.producing import Producer
from tracemypods.events.sealing import topic_named
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit import tasks
from tracemypods.kit.internal import edge_bearer

_log = logging.getLogger("tracemypods.events")

_POLL_MILLISECONDS = 200
_WAIT_MILLISECONDS = 200
"""How long a broker may wait for events before it answers that there are none. A partition whose
events are done waits for that answer before it is asked about again."""
_BATCH_BYTES = 128 * 1024
"""Of one partition; or one event, if that is larger."""
_LONGEST_PAUSE_SECONDS = 5.0
"""Before connecting again."""
_LEAVE_SECONDS = 2.0


class Consumer:
    """Reads one topic for one service, whose instances share its partitions.

    An event is committed once `handle` has returned. When `handle` raises Unhandleable, or the
    record can't be opened, it is kept in the topic of dead letters first (and `on_dead` is told);
    when it raises a Problem, it is tried again after a while, as long as it takes. What was
    handled and not committed comes again: `handle` is to drop what it has seen.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: Topic,
        consumer: str,
        key: SecretStr,
        handle: Handle,
        *,
        on_dead: OnDead | None = None,
        metrics: LivenessMetrics | None = None,
    ) -> None:
        """`key` is that of the edge from the topic's producer to `consumer`."""
        self._settings = settings
        self._topic = topic.name
        self._group = consumer
        self.liveness = Liveness(topic.name)
        if metrics is not None:
            metrics.add(self.liveness)
        self._producer = Producer(settings)
        self._handler = Handler(
            topic=topic,
            consumer=consumer,
            key=key,
            handle=handle,
            on_dead=on_dead,
            producer=self._producer,
            longest_pause=settings.kafka_retry_seconds,
            liveness=self.liveness,
        )
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @classmethod
    def load(
        cls,
        settings: KafkaSettings,
        topic: str,
        consumer: str,
        handle: Handle,
        *,
        on_dead: OnDead | None = None,
        metrics: LivenessMetrics | None = None,
    ) -> Consumer:
        """One of the contracts' topics, with its edge's key. Raises KeyError, SettingsError."""
        named = topic_named(topic, TOPICS)
        key = edge_bearer(named.producer, consumer)
        return cls(settings, named, consumer, key, handle, on_dead=on_dead, metrics=metrics)

    def start(self) -> None:
        """Begin to read, whether there is a broker or not."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop reading, and leave the group. What is in hand is let go, and comes again."""
        if self._running is not None:
            # Not by cancelling, which would break off the leave-taking.
            self._closing.set()
            await self._running
            self._running = None
            self._closing.clear()
        await self._producer.close()

    async def _run(self) -> None:
        tries = 0
        while not self._closing.is_set():
            membership = _Membership(self._settings, self._topic, self._group, self._handler)
            reading = asyncio.create_task(membership.read(self._closing))
            await asyncio.wait({reading})
            self.liveness.holds(())
            if self._closing.is_set():
                break
            # Whatever it was: aiokafka's own errors are many, and none of them is to end this.
            error = None if reading.cancelled() else reading.exception()
            tries = 0 if membership.has_held else tries + 1
            _log.warning(
                "reading events begins anew",
                extra={"topic": self._topic, "reason": repr(error) if error else "moved"},
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(pause(tries, _LONGEST_PAUSE_SECONDS)):
                    await self._closing.wait()


class _Membership(ConsumerRebalanceListener):
    """One client of aiokafka, from its start to its end."""

    def __init__(self, settings: KafkaSettings, topic: str, group: str, handler: Handler) -> None:
        self._settings = settings
        self._topic = topic
        self._handler = handler
        self._liveness = handler.liveness
        self._at_work: dict[TopicPartition, asyncio.Task[None]] = {}
        self.has_held = False
        """It got as far as holding partitions."""
        session = settings.kafka_session_seconds
        self._finish_seconds = session / 4
        self._client: Any = AIOKafkaConsumer(
            **connection(settings),
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=_WAIT_MILLISECONDS,
            max_partition_fetch_bytes=_BATCH_BYTES,
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(session * 1000 / 4),
            max_poll_interval_ms=int(settings.kafka_poll_interval_seconds * 1000),
        )
        clients.leave_nothing_open(self._client._client)

    async def read(self, closing: asyncio.Event) -> None:
        """Read until `closing`, or something is wrong with the client. Returns or raises then."""
        self._liveness.connected()
        self._client.subscribe([self._topic], listener=self)
        work = (
            asyncio.create_task(closing.wait()),
            asyncio.create_task(self._poll()),
            asyncio.create_task(until_unreachable(self._client._client)),
            asyncio.create_task(
                until_stuck(self._client, self._liveness, self._settings.kafka_stale_seconds)
            ),
        )
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await tasks.end(*work)
            await tasks.end(*self._at_work.values())
            await _leave(self._client)

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - coroutines are awaited
        self, revoked: Iterable[TopicPartition]
    ) -> None:
        """Others will have these: let what is in hand end, and if that takes long, let go of it."""
        del revoked  # it is always all of them
        working = list(self._at_work.values())
        if working:
            await asyncio.wait(working, timeout=self._finish_seconds)
            await tasks.end(*working)
        self._at_work.clear()
        self._liveness.holds(())

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """These are ours."""
        self._liveness.holds(tuple(one.partition for one in assigned))
        self.has_held = self.has_held or bool(self._liveness.partitions)

    async def _poll(self) -> None:
        """Ask for records, and go on asking while they are handled: else the group thinks that
        nobody is here. Partitions that are at work are left out meanwhile."""
        client = self._client
        await client.start()
        while True:
            found = await client.getmany(timeout_ms=_POLL_MILLISECONDS)
            self._liveness.polled()
            for task in [task for task in self._at_work.values() if task.done()]:
                task.result()
            for partition, records in found.items():
                client.pause(partition)
                self._liveness.is_at(partition.partition, records[0].offset)
                self._at_work[partition] = asyncio.create_task(self._work(partition, records))
            for partition in client.assignment():
                end = client.highwater(partition)
                if end is not None:
                    self._liveness.reaches_to(partition.partition, end)

    async def _work(self, partition: TopicPartition, records: list[Any]) -> None:
        """Handle some records of one partition, in order; each is committed before the next."""
        client = self._client
        for record in records:
            await self._handler.take(record)
            try:
                await client.commit({partition: record.offset + 1})
            except (CommitFailedError, IllegalStateError) as error:
                # The group has gone on without this member, which will hear of that. If it keeps
                # the partition nevertheless, it goes on here.
                _log.warning("event is not committed", extra={"reason": repr(error)})
                if partition in client.assignment():
                    client.seek(partition, record.offset)
                break
            self._liveness.is_at(partition.partition, record.offset + 1)
        if partition in client.assignment():
            client.resume(partition)


async def _leave(client: Any) -> None:
    """End a consumer, without waiting for a broker that is away."""
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait({stopping}, timeout=_LEAVE_SECONDS)
    if not stopping.done():
        # Requests that nobody answers end with their connections, and `stop` goes on.
        await clients.close(client._client)
        await asyncio.wait({stopping}, timeout=_LEAVE_SECONDS)
        await tasks.end(stopping)
    await clients.close(client._client)
