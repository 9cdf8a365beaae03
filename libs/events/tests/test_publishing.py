"""Sending when the broker says nothing, when the sender gives up, and many at once."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tracemypods.contracts.events import Envelope
from tracemypods.events.liveness import Liveness, LivenessMetrics
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.waiting import until

from .conftest import World

EMBEDDED = pytest.mark.parametrize("shared_broker", ["embedded"], indirect=True)


@EMBEDDED
def test_a_broker_that_hangs_is_given_up_in_time_and_asked_again(world: World) -> None:
    publisher = world.publisher(kafka_publish_seconds=2)
    world.publish(publisher, world.event())
    world.broker.pause()
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            world.publish(publisher, world.event())
        assert caught.value.code == "kafka_unavailable"
    world.broker.resume()
    world.publish(publisher, world.event())


@EMBEDDED
def test_closing_does_not_wait_for_a_broker_that_hangs(world: World) -> None:
    publisher = world.publisher(kafka_publish_seconds=60)
    world.publish(publisher, world.event())
    world.broker.pause()

    async def work() -> object:
        sending = asyncio.create_task(publisher.publish(world.topic.name, world.event()))
        await asyncio.sleep(0)
        await publisher.close()
        (outcome,) = await asyncio.gather(sending, return_exceptions=True)
        return outcome

    assert isinstance(world.loop.run(work()), Unavailable)
    with pytest.raises(Unavailable, match="stopping"):
        world.publish(publisher, world.event())


@EMBEDDED
def test_whoever_gives_up_hears_so_at_once_and_the_others_go_on(world: World) -> None:
    publisher = world.publisher(kafka_publish_seconds=60)
    world.publish(publisher, world.event())
    world.broker.pause()

    async def give_up() -> asyncio.Task[None]:
        first, second = (
            asyncio.create_task(publisher.publish(world.topic.name, world.event()))
            for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return second

    async def wait(task: asyncio.Task[None]) -> None:
        await task

    second = world.loop.run(give_up())
    world.broker.resume()
    world.loop.run(wait(second))


@EMBEDDED
def test_many_at_once_share_one_connection(world: World) -> None:
    publisher = world.publisher()
    world.publish(publisher, *(world.event(f"ord_{number}") for number in range(500)))
    found = {(one.partition, one.offset) for one in world.records(world.topic.name, 500)}
    assert len(found) == 500


@EMBEDDED
def test_an_error_that_nothing_foresaw_is_tried_five_times(world: World) -> None:
    tries: list[float] = []

    async def handle(_envelope: Envelope) -> None:
        tries.append(time.monotonic())
        raise ZeroDivisionError

    consumer = world.consumer(handle)
    world.publish(world.publisher(), world.event())
    until(lambda: consumer.liveness.dead == 1, "a dead letter")
    (letter,) = world.records(f"{world.topic.name}.dlt", 1)
    assert dict(letter.headers)["reason"] == b"failed: ZeroDivisionError"
    assert len(tries) == 5


def test_how_a_reader_does_is_shown() -> None:
    registry = CollectorRegistry()
    metrics = LivenessMetrics(registry)
    for topic in ("orders", "deliveries"):
        metrics.add(Liveness(topic))
    liveness = Liveness("third")
    metrics.add(liveness)
    liveness.holds((0, 3))
    liveness.is_at(3, 5)
    liveness.reaches_to(3, 9)
    shown = generate_latest(registry).decode()
    assert 'events_partitions_held{topic="third"} 2.0' in shown
    assert 'events_lag{topic="third"} 4.0' in shown
    assert 'events_lag{topic="orders"} 0.0' in shown
    assert 'events_seconds_since_poll{topic="deliveries"}' in shown
