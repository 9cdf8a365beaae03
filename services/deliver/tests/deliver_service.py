"""The deliver service with all that it needs, and order's side of Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from pydantic import SecretStr

from tracemypods.contracts.events import ORDERS, Envelope
from tracemypods.events.publishing import Publisher
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.internal import edge_variable
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.apache_kafka import ApacheKafka
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import variables
from tracemypods.local.testing.s3 import S3

Broker = Kafka | ApacheKafka
FROM_ORDER = "edge-key-from-order-to-deliver-01234"
TO_ORDER = "edge-key-from-deliver-to-order-01234"


def environment(mongo: Mongo, kafka: Broker, s3: S3, inbox: Inbox) -> dict[str, str]:
    """What the service is told; keys of its edges included."""
    return {
        **variables(mongo.login()),
        "TRACEMYPODS_KAFKA_URL": kafka.url,
        "TRACEMYPODS_KAFKA_SESSION_SECONDS": "6",
        "TRACEMYPODS_KAFKA_RETRY_SECONDS": "0.5",
        "TRACEMYPODS_S3_URL": s3.url,
        "TRACEMYPODS_S3_BUCKET": s3.bucket,
        "TRACEMYPODS_S3_ACCESS_KEY": s3.access_key,
        "TRACEMYPODS_S3_SECRET_KEY": s3.secret_key,
        "TRACEMYPODS_SMTP_URL": inbox.smtp_url,
        "TRACEMYPODS_DELIVER_RETRY_SECONDS": "0.1",
        "TRACEMYPODS_DELIVER_LEASE_SECONDS": "2",
        edge_variable("order", "deliver"): FROM_ORDER,
        edge_variable("deliver", "order"): TO_ORDER,
    }


class OrderSide:
    """Publishes what order would."""

    def __init__(self, kafka: Broker, key: str = FROM_ORDER) -> None:
        self._settings = KafkaSettings(**settings(), kafka_url=kafka.url, kafka_publish_seconds=60)
        self._keys = {"deliver": SecretStr(key)}

    def tell(self, envelopes: Iterable[Envelope]) -> None:
        """Publish events, and return when the broker has them."""
        asyncio.run(self._tell(list(envelopes)))

    async def _tell(self, envelopes: list[Envelope]) -> None:
        publisher = Publisher(self._settings, "order", self._keys)
        try:
            await asyncio.gather(*(publisher.publish(ORDERS, one) for one in envelopes))
        finally:
            await publisher.close()


def settings() -> dict[str, Any]:
    """What every service's settings have."""
    return {"mode": Mode.LOCAL, "port": 0, "host": "127.0.0.1", "drain_seconds": 2}
