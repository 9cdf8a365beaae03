"""Deliver's side of Kafka: reads what order tells, and answers what deliver would."""

from __future__ import annotations

from typing import Any, Self

from order_beside import FROM_DELIVER_KEY, TO_DELIVER_KEY
from pydantic import SecretStr

from tracemypods.contracts.events import (
    DELIVERED,
    DELIVERIES,
    DELIVERY_FAILED,
    ORDER_PAID,
    ORDERS,
    TOPICS,
    Delivered,
    DeliveryFailed,
    DocumentKind,
    Envelope,
)
from tracemypods.events.consuming import Consumer
from tracemypods.events.publishing import Publisher
from tracemypods.events.sealing import topic_named
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.background import BackgroundLoop
from tracemypods.local.testing.kafka import Kafka


class DeliverSide:
    """Use as a context manager. `told` is what was read; it is answered unless it is `silent`."""

    def __init__(self, kafka: Kafka, *, silent: bool = False) -> None:
        self.told: list[Envelope] = []
        self.silent = silent
        self.problem: str | None = None
        """Why nothing can be delivered, while that is so."""
        self._background = BackgroundLoop()
        quick: dict[str, Any] = {
            "kafka_publish_seconds": 60,
            "kafka_session_seconds": 6,
            "kafka_retry_seconds": 0.2,
        }
        self._settings = KafkaSettings(mode=Mode.LOCAL, kafka_url=kafka.url, **quick)

    def __enter__(self) -> Self:
        self._background.__enter__()
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._close())
        self._background.__exit__()

    def ids(self, order_id: str) -> set[str]:
        """The ids of what was told of an order."""
        return {one.id for one in list(self.told) if one.key == order_id}

    def say(self, envelope: Envelope, key: str = FROM_DELIVER_KEY) -> None:
        """Publish something, signed with a key."""
        self._background.run(self._say(envelope, key))

    async def _start(self) -> None:
        self._publisher = Publisher(
            self._settings, "deliver", {"order": SecretStr(FROM_DELIVER_KEY)}
        )
        self._consumer = Consumer(
            self._settings,
            topic_named(ORDERS, TOPICS),
            "deliver",
            SecretStr(TO_DELIVER_KEY),
            self._take,
        )
        self._consumer.start()

    async def _close(self) -> None:
        await self._consumer.close()
        await self._publisher.close()

    async def _take(self, envelope: Envelope) -> None:
        self.told.append(envelope)
        if not self.silent:
            answer = delivered(envelope) if self.problem is None else failed(envelope, self.problem)
            await self._publisher.publish(DELIVERIES, answer)

    async def _say(self, envelope: Envelope, key: str) -> None:
        publisher = Publisher(self._settings, "deliver", {"order": SecretStr(key)})
        try:
            await publisher.publish(DELIVERIES, envelope)
        finally:
            await publisher.close()


def delivered(told: Envelope, **fields: Any) -> Envelope:
    """The answer that a document was mailed. Fields of its body may be changed."""
    body = Delivered(
        confirms=told.id,
        order_id=told.key,
        kind=_kind(told),
        number="TEST/2627/000001",
        mailed_at=told.at,
    )
    return _answer(told, DELIVERED, {**body.model_dump(), **fields})


def failed(told: Envelope, reason: str) -> Envelope:
    """The answer that it could not be."""
    body = DeliveryFailed(confirms=told.id, order_id=told.key, kind=_kind(told), reason=reason)
    return _answer(told, DELIVERY_FAILED, body.model_dump())


def _kind(told: Envelope) -> DocumentKind:
    return "invoice" if told.type == ORDER_PAID else "credit_note"


def _answer(told: Envelope, kind: str, body: dict[str, Any]) -> Envelope:
    return Envelope(
        id=f"{told.id}:{kind}", type=kind, at=told.at, key=told.key, producer="deliver", body=body
    )
