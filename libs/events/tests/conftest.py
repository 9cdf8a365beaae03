"""Brokers, and services that write and read, for the tests of events."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from tracemypods.contracts.events import Envelope, Topic
from tracemypods.events import topics
from tracemypods.events.consuming import Consumer
from tracemypods.events.handling import OnDead
from tracemypods.events.producing import Producer
from tracemypods.events.publishing import Publisher
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.apache_kafka import ApacheKafka
from tracemypods.local.testing.background import BackgroundLoop
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.waiting import until

Broker = Kafka | ApacheKafka
KEY = SecretStr("k" * 40)


@pytest.fixture(scope="session", params=["embedded", "apache"])
def shared_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One start of each for all tests."""
    with Kafka() if request.param == "embedded" else ApacheKafka() as broker:
        yield broker


@pytest.fixture
def broker(shared_broker: Broker) -> Iterator[Broker]:
    """A running broker, whatever the test before has done to it."""
    shared_broker.resume()
    shared_broker.start()
    yield shared_broker
    shared_broker.resume()


class World:
    """A topic of the test's own, and who writes and reads it."""

    def __init__(self, broker: Broker, loop: BackgroundLoop) -> None:
        self.broker = broker
        self.loop = loop
        self.reader = f"reader{secrets.token_hex(4)}"
        self.topic = Topic(f"test-{secrets.token_hex(4)}", "order", (self.reader,))
        self._open: list[Consumer | Publisher | Producer] = []
        self._sent = 0

    def settings(self, **more: Any) -> KafkaSettings:
        quick = {"kafka_session_seconds": 3, "kafka_retry_seconds": 0.2, "mode": Mode.LOCAL}
        return KafkaSettings(kafka_url=self.broker.url, **{**quick, **more})

    def make_topic(self) -> None:
        """Make the topic, and that of its dead letters."""
        said: list[str] = []
        assert self.loop.run(topics.make(self.settings(), 1, said.append, [self.topic])), said

    def publisher(self, key: SecretStr = KEY, **settings: Any) -> Publisher:
        found = Publisher(
            self.settings(**settings), "order", {self.reader: key}, topics=[self.topic]
        )
        self._open.append(found)
        return found

    def raw(self) -> Producer:
        """Whoever can write to the topic."""
        found = Producer(self.settings())
        self._open.append(found)
        return found

    def consumer(
        self,
        handle: Callable[[Envelope], Awaitable[None]],
        on_dead: OnDead | None = None,
        **settings: Any,
    ) -> Consumer:
        """A reader, at work."""
        made = Consumer(
            self.settings(**settings), self.topic, self.reader, KEY, handle, on_dead=on_dead
        )
        self._open.append(made)
        self.loop.loop.call_soon_threadsafe(made.start)
        return made

    def event(self, key: str = "ord_1") -> Envelope:
        self._sent += 1
        return Envelope(
            id=f"evt_{self._sent}", type="order.paid", at=1, key=key, producer="order", body={}
        )

    def publish(self, publisher: Publisher, *events: Envelope) -> None:
        async def work() -> None:
            await asyncio.gather(*(publisher.publish(self.topic.name, one) for one in events))

        self.loop.run(work())

    def records(self, name: str, count: int) -> list[Any]:
        """So many records of a topic, read by nobody in particular."""

        async def work() -> list[Any]:
            address = self.broker.url.removeprefix("kafka://")
            reading: Any = AIOKafkaConsumer(
                name, bootstrap_servers=address, auto_offset_reset="earliest"
            )
            await reading.start()
            try:
                return [await reading.getone() for _ in range(count)]
            finally:
                await reading.stop()

        return self.loop.run(work())

    def committed(self) -> int:
        """How many events the readers have committed."""

        async def work() -> int:
            address = self.broker.url.removeprefix("kafka://")
            asking: Any = AIOKafkaConsumer(
                bootstrap_servers=address, group_id=self.reader, enable_auto_commit=False
            )
            await asking.start()
            try:
                parts = [TopicPartition(self.topic.name, n) for n in range(self.topic.partitions)]
                return sum([await asking.committed(part) or 0 for part in parts])
            finally:
                await asking.stop()

        return self.loop.run(work())

    def close(self) -> None:
        for one in reversed(self._open):
            self.loop.run(one.close())


@pytest.fixture
def world(broker: Broker) -> Iterator[World]:
    """See World."""
    with BackgroundLoop() as loop:
        made = World(broker, loop)
        made.make_topic()
        yield made
        made.close()
        # Whatever was closed has left nothing behind.
        until(lambda: loop.run(_others()) == [], "the end of all tasks")


async def _others() -> list[str]:
    mine = asyncio.current_task()
    return [repr(one) for one in asyncio.all_tasks() if one is not mine]


class Shop:
    """A service that remembers what it has handled, and drops what it has seen."""

    def __init__(self) -> None:
        self.handled: list[Envelope] = []

    async def handle(self, envelope: Envelope) -> None:
        self.handled.append(envelope)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.handled]


@pytest.fixture
def shop() -> Shop:
    """See Shop."""
    return Shop()
