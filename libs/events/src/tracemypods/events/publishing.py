"""Sending events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from tracemypods.contracts.events import TOPICS, Envelope, Topic
from tracemypods.events.dead_letters import DeadLetter, write
from tracemypods.events.producing import Producer
from tracemypods.events.sealing import keys_of_producer, seal, topic_named
from tracemypods.events.settings import KafkaSettings
from tracemypods.events.tracing import current, span


class Publisher:
    """Sends what one service tells others. It connects with the first event, not before."""

    def __init__(
        self,
        settings: KafkaSettings,
        producer: str,
        keys: Mapping[str, SecretStr],
        topics: Iterable[Topic] = TOPICS,
    ) -> None:
        """`keys` are those with which `producer` signs, by reader."""
        self._topics = tuple(topic for topic in topics if topic.producer == producer)
        self._name = producer
        self._keys = keys
        self._producer = Producer(settings)

    @classmethod
    def load(cls, settings: KafkaSettings, producer: str) -> Publisher:
        """One with the keys of its service's edges. Raises SettingsError."""
        return cls(settings, producer, keys_of_producer(TOPICS, producer))

    async def publish(self, topic: str, envelope: Envelope) -> None:
        """Return when the broker has acknowledged the event.

        Raises Unavailable (`kafka_unavailable`) when it does not in time: send it again later, and
        its readers drop what they have seen. Raises Unopened for what no reader would take.
        """
        named = topic_named(topic, self._topics)
        with span("send", topic, envelope.traceparent):
            traced = envelope.model_copy(update={"traceparent": current() or envelope.traceparent})
            value, headers = seal(named, traced, self._keys)
            await self._producer.send(topic, envelope.key.encode(), value, headers)

    async def publish_dead(self, topic: str, envelope: Envelope, reason: str) -> None:
        """Put an event that was read, and can't be handled after all, into the dead letters.

        Raises Unavailable (`kafka_unavailable`).
        """
        letter = DeadLetter(
            topic=topic,
            partition=-1,
            offset=-1,
            consumer=self._name,
            reason=reason,
            key=envelope.key.encode(),
            value=envelope.model_dump_json().encode(),
            headers=(),
        )
        await write(letter, self._producer)

    async def close(self) -> None:
        """End the connection."""
        await self._producer.close()
