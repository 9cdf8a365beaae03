"""A real Apache Kafka, killed while orders are paid: what it has acknowledged is delivered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from deliver_orders import paid, told
from deliver_service import OrderSide, environment, settings
from test_deliveries import documents

from tracemypods.events import topics
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.apache_kafka import ApacheKafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.waiting import until

ORDERS = 30


@pytest.fixture
def apache() -> Iterator[ApacheKafka]:
    with ApacheKafka() as broker:
        wanted = KafkaSettings(**settings(), kafka_url=broker.url)
        asyncio.run(topics.make(wanted, 1, lambda _: None))
        yield broker


def test_killed_under_load(
    apache: ApacheKafka, mongo: Mongo, s3: S3, inbox: Inbox, base: int
) -> None:
    order = OrderSide(apache)
    half = threading.Event()

    def tell_all() -> None:
        for number in range(ORDERS):
            if number == ORDERS // 2:
                half.set()
            while True:
                with suppress(Unavailable):  # as order does: what is not acknowledged is sent again
                    order.tell([told(paid(base + number))])
                    break

    with Replica("deliver", environment(mongo, apache, s3, inbox)) as deliver:
        telling = threading.Thread(target=tell_all)
        telling.start()
        half.wait()
        apache.kill()
        apache.start()
        telling.join()
        until(lambda: len({one["message_id"] for one in inbox.messages()}) == ORDERS)
        deliver.stop()
    assert sorted(one.number for one in documents(mongo)) == [
        f"TMP/2627/{number:07d}" for number in range(1, ORDERS + 1)
    ]
