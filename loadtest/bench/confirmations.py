"""Order's side of Kafka: it tells of paid orders, and hears which of them were delivered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from tracemypods.contracts.events import Envelope, Topic
from tracemypods.events.clients import connection
from tracemypods.events.publishing import Publisher
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.settings import Mode

_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Broker:
    """Where it is, and the key with which order signs for deliver."""

    url: str
    key: str

    @property
    def settings(self) -> KafkaSettings:
        """What a client is told."""
        given: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "drain_seconds": 2}
        return KafkaSettings(mode=Mode.LOCAL, kafka_url=self.url, kafka_publish_seconds=60, **given)


async def until_all(
    broker: Broker, topic: str, confirmations: str, events: Sequence[Envelope]
) -> float:
    """Publish events, and wait until each was confirmed; returns how many seconds that took.

    Raises TimeoutError.
    """
    named = Topic(topic, "order", ("deliver",))
    publisher = Publisher(broker.settings, "order", {"deliver": SecretStr(broker.key)}, (named,))
    consumer: Any = AIOKafkaConsumer(**connection(broker.settings), enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(confirmations, number) for number in range(named.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        open_ones = {event.id for event in events}
        began = time.perf_counter()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(publisher.publish(topic, event) for event in events))
            while open_ones:
                record = await consumer.getone()
                open_ones.discard(json.loads(record.value)["body"]["confirms"])
            return time.perf_counter() - began
    finally:
        await publisher.close()
        await consumer.stop()
