"""No connection stays open when a client is ended while it begins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.conn import (  # pyright: ignore[reportMissingTypeStubs]
    AIOKafkaConnection,
)
from aiokafka.protocol.metadata import (  # pyright: ignore[reportMissingTypeStubs]
    MetadataRequest,
)

from tracemypods.contracts.events import Envelope
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.waiting import until

from .conftest import World


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections on which a client has asked which brokers there are, and hears nothing."""
    asked: list[Any] = []
    send: Any = AIOKafkaConnection.send

    def hang(self: Any, request: Any, *rest: Any) -> Any:
        if isinstance(request, MetadataRequest):
            asked.append(self)
            return self._loop.create_future()
        return send(self, request, *rest)

    monkeypatch.setattr(AIOKafkaConnection, "send", hang)
    return asked


EMBEDDED = pytest.mark.parametrize("shared_broker", ["embedded"], indirect=True)


@EMBEDDED
def test_a_reader_that_is_ended_while_it_begins(world: World, asking: list[Any]) -> None:
    async def handle(_: Envelope) -> None: ...

    consumer = world.consumer(handle)
    until(lambda: asking, "it asks")
    world.loop.run(consumer.close())
    assert not any(one.connected() for one in asking)


@EMBEDDED
def test_a_writer_that_is_ended_while_it_begins(world: World, asking: list[Any]) -> None:
    publisher = world.publisher(kafka_publish_seconds=60)
    sending = asyncio.run_coroutine_threadsafe(
        publisher.publish(world.topic.name, world.event()), world.loop.loop
    )
    until(lambda: asking, "it asks")
    world.loop.run(publisher.close())
    assert not any(one.connected() for one in asking)
    assert isinstance(sending.exception(), Unavailable)
