"""Order's side of Kafka in a busy shop: new orders all the time, told again until confirmed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Self

from deliver_orders import paid, told
from deliver_service import FROM_ORDER, TO_ORDER, settings
from pydantic import SecretStr

from tracemypods.contracts.events import DELIVERED, DELIVERIES, ORDERS, TOPICS, Envelope
from tracemypods.events.consuming import Consumer
from tracemypods.events.publishing import Publisher
from tracemypods.events.sealing import topic_named
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.tasks import end
from tracemypods.local.testing.background import BackgroundLoop
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.waiting import until

BETWEEN_ORDERS_SECONDS = 0.2
RESEND_SECONDS = 1.0
PATIENCE_ORDERS = 10
"""With so many unconfirmed both pauses are twice as long: no slow machine is buried in orders."""


class BusyOrder:
    """Use as a context manager. Orders begin at number `base`."""

    def __init__(self, kafka: Kafka, base: int) -> None:
        self.told: list[Envelope] = []
        self.confirmed: set[str] = set()
        self._base = base
        self._background = BackgroundLoop()
        quick: dict[str, Any] = {
            "kafka_publish_seconds": 1,
            "kafka_session_seconds": 6,
            "kafka_retry_seconds": 0.2,
        }
        self._settings = KafkaSettings(**settings(), kafka_url=kafka.url, **quick)

    def __enter__(self) -> Self:
        self._background.__enter__()
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._close())
        self._background.__exit__()

    def goes_on(self) -> None:
        """Wait until two further orders were told."""
        enough = len(self.told) + 2
        until(lambda: len(self.told) >= enough, "further orders")

    def await_confirmations(self) -> None:
        """Wait until all is confirmed that was told so far."""
        wanted = {one.id for one in list(self.told)}
        until(lambda: wanted <= self.confirmed, "confirmations")

    def close_shop(self) -> None:
        """Have no further orders."""
        self._background.run(end(self._selling))

    @property
    def _waiting(self) -> list[Envelope]:
        return [one for one in self.told if one.id not in self.confirmed]

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (1 + len(self._waiting) / PATIENCE_ORDERS))

    async def _start(self) -> None:
        self._publisher = Publisher(self._settings, "order", {"deliver": SecretStr(FROM_ORDER)})
        topic = topic_named(DELIVERIES, TOPICS)
        self._consumer = Consumer(
            self._settings, topic, "order", SecretStr(TO_ORDER), self._confirm
        )
        self._consumer.start()
        self._selling = asyncio.create_task(self._sell())
        self._resending = asyncio.create_task(self._resend())

    async def _close(self) -> None:
        await end(self._selling, self._resending)
        await self._consumer.close()
        await self._publisher.close()

    async def _sell(self) -> None:
        while True:
            envelope = told(paid(self._base + len(self.told)))
            self.told.append(envelope)
            await self._publish(envelope)
            await self._pause(BETWEEN_ORDERS_SECONDS)

    async def _resend(self) -> None:
        while True:
            await self._pause(RESEND_SECONDS)
            await asyncio.gather(*map(self._publish, self._waiting))

    async def _publish(self, envelope: Envelope) -> None:
        with suppress(Unavailable):
            await self._publisher.publish(ORDERS, envelope)

    async def _confirm(self, envelope: Envelope) -> None:
        if envelope.type == DELIVERED:
            self.confirmed.add(envelope.body["confirms"])
