"""Events from one service to another, on the embedded broker and on Apache Kafka."""

from __future__ import annotations

import asyncio
import time

import pytest

from tracemypods.contracts.events import Envelope
from tracemypods.events.dead_letters import DeadLetter, Unhandleable
from tracemypods.events.publishing import Publisher
from tracemypods.events.sealing import seal
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.waiting import until

from .conftest import KEY, Shop, World

ON_APACHE = pytest.mark.parametrize("shared_broker", ["apache"], indirect=True)
"""A group on the embedded broker has one member: it refuses what aiokafka says for two."""


def test_what_is_published_is_read_in_order_and_committed(world: World, shop: Shop) -> None:
    consumer = world.consumer(shop.handle)
    publisher = world.publisher()
    sent = [world.event(f"ord_{number % 7}") for number in range(40)]
    world.publish(publisher, *sent)
    until(lambda: len(shop.handled) == 40, "all events")
    for key in {one.key for one in sent}:
        assert [one.id for one in shop.handled if one.key == key] == [
            one.id for one in sent if one.key == key
        ]
    until(lambda: consumer.liveness.lag == 0, "the last commit")
    world.loop.run(consumer.close())
    assert world.committed() == 40
    assert consumer.liveness.handled == 40
    # Another instance has nothing left to do but the next event.
    again = Shop()
    world.consumer(again.handle)
    last = world.event()
    world.publish(publisher, last)
    until(lambda: again.handled, "the next event")
    assert again.ids == [last.id]


def test_the_broker_ends_and_starts_again(world: World, shop: Shop) -> None:
    publisher = world.publisher(kafka_publish_seconds=3)
    before = [world.event(f"ord_{number}") for number in range(30)]
    world.publish(publisher, *before)
    world.broker.kill()
    # A reader that begins when there is no broker, and events that can't be sent.
    world.consumer(shop.handle)
    refused = world.event()
    with pytest.raises(Unavailable) as caught:
        world.publish(publisher, refused)
    assert caught.value.code == "kafka_unavailable"
    world.broker.start()
    after = world.event()
    until(lambda: sent(world, publisher, after), "an event is taken")
    expected = {after.id, *(one.id for one in before if world.broker.keeps)}
    until(lambda: expected <= set(shop.ids), "what was acknowledged")


@pytest.mark.parametrize("shared_broker", ["embedded"], indirect=True)
def test_a_reader_and_a_writer_at_work_get_over_a_restart(world: World, shop: Shop) -> None:
    publisher = world.publisher(kafka_publish_seconds=3)
    consumer = world.consumer(shop.handle)
    first, second = world.event(), world.event()
    world.publish(publisher, first)
    until(lambda: shop.ids == [first.id], "the first event")
    world.broker.kill()
    world.broker.start()
    if not world.broker.keeps:
        world.make_topic()
    until(lambda: sent(world, publisher, second), "the second is taken")
    until(lambda: second.id in shop.ids, "the second event")
    until(lambda: consumer.liveness.partitions == {0, 1, 2, 3}, "all partitions")


def sent(world: World, publisher: Publisher, event: Envelope) -> bool:
    try:
        world.publish(publisher, event)
    except Unavailable:
        return False
    return True


def test_what_cannot_be_opened_or_handled_is_a_dead_letter(world: World) -> None:
    taken: list[str] = []
    told: list[DeadLetter] = []

    async def handle(envelope: Envelope) -> None:
        if envelope.type == "order.unknown":
            raise Unhandleable("no such type")
        taken.append(envelope.id)

    async def on_dead(letter: DeadLetter) -> None:
        told.append(letter)

    consumer = world.consumer(handle, on_dead)
    name, raw = world.topic.name, world.raw()
    good = world.event()
    value, headers = seal(world.topic, good, {world.reader: KEY})
    forged = [(header, b"0" * 64) for header, _ in headers]
    unknown = world.event().model_copy(update={"type": "order.unknown"})

    async def work() -> None:
        await raw.send(name, b"ord_1", b"\xff not JSON", (("shown", b"kept"),))
        await raw.send(name, b"ord_1", value, tuple(forged))
        await raw.send(name, b"ord_2", value, headers)
        await raw.send(name, b"ord_1", b"x" * 300_000, headers)

    world.loop.run(work())
    world.publish(world.publisher(), unknown, good)
    until(lambda: len(told) == 5, "five dead letters")
    until(lambda: taken == [good.id], "the good one, and it alone")
    until(lambda: consumer.liveness.lag == 0, "the last commit")
    letters = world.records(f"{name}.dlt", 5)
    reasons = sorted(dict(letter.headers)["reason"].decode() for letter in letters)
    assert [reason.partition(":")[0] for reason in reasons] == [
        *("forged", "misdirected", "too_long", "unhandleable", "unsigned"),
    ]
    assert reasons[3] == "unhandleable: no such type"
    for letter in letters:
        about = dict(letter.headers)
        assert about["topic"] == name.encode()
        assert about["consumer"] == world.reader.encode()
        (same,) = [
            one
            for one in told
            if (str(one.partition).encode(), str(one.offset).encode())
            == (about["partition"], about["offset"])
        ]
        if "truncated" not in about:
            assert (letter.value, letter.key) == (same.value, same.key)
            assert letter.headers[: len(same.headers)] == same.headers
    assert (b"\xff not JSON", (("shown", b"kept"),)) in [(one.value, one.headers) for one in told]
    assert consumer.liveness.dead == 5


def test_what_fails_for_a_while_holds_up_its_own_partition_only(world: World) -> None:
    tries: list[str] = []
    taken: list[str] = []
    open_again = False

    async def handle(envelope: Envelope) -> None:
        tries.append(envelope.key)
        if envelope.key == "ord_1" and not open_again:
            raise Unavailable("MongoDB does not answer.", code="mongo_unavailable")
        taken.append(envelope.id)

    consumer = world.consumer(handle)
    publisher = world.publisher()
    held = [world.event("ord_1"), world.event("ord_1")]
    others = [world.event(f"ord_{number}") for number in range(2, 30)]
    world.publish(publisher, held[0])
    until(lambda: tries.count("ord_1") >= 1, "a first try")
    world.publish(publisher, held[1], *others)
    until(lambda: tries.count("ord_1") >= 5, "further tries")
    assert consumer.liveness.retrying
    # Of 28 orders some lie in other partitions than this one, and none of those is held up.
    until(lambda: taken, "events of other partitions")
    assert not {one.id for one in held} & set(taken)
    until(lambda: world.committed() == len(taken), "commits of those, and of no others")
    open_again = True
    until(lambda: len(taken) == 30, "all of them")
    assert [one for one in taken if one in {held[0].id, held[1].id}] == [one.id for one in held]
    assert consumer.liveness.connections == 1
    until(lambda: not consumer.liveness.retrying, "no partition tries any more")


def test_a_handler_that_takes_longer_than_the_poll_interval_keeps_its_place(world: World) -> None:
    begun: list[float] = []
    go_on = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        begun.append(time.monotonic())
        await go_on.wait()

    consumer = world.consumer(handle, kafka_poll_interval_seconds=0.5)
    world.publish(world.publisher(), world.event())
    until(lambda: begun and time.monotonic() > begun[0] + 1.5, "three intervals")
    world.loop.loop.call_soon_threadsafe(go_on.set)
    until(lambda: consumer.liveness.handled == 1, "it is handled")
    until(lambda: consumer.liveness.lag == 0, "and committed")
    assert len(begun) == 1
    assert consumer.liveness.connections == 1


@ON_APACHE
def test_two_readers_share_the_partitions_and_one_takes_over(world: World) -> None:
    one, other = Shop(), Shop()
    first = world.consumer(one.handle)
    until(lambda: len(first.liveness.partitions) == 4, "all for the first")
    second = world.consumer(other.handle)
    until(
        lambda: (len(first.liveness.partitions), len(second.liveness.partitions)) == (2, 2),
        "two for each",
    )
    assert not first.liveness.partitions & second.liveness.partitions
    publisher = world.publisher()
    events = [world.event(f"ord_{number}") for number in range(60)]
    world.publish(publisher, *events)
    until(lambda: len({*one.ids, *other.ids}) == 60, "all events")
    assert one.handled
    assert other.handled
    world.loop.run(first.close())
    until(lambda: len(second.liveness.partitions) == 4, "all for the second")
    last = world.event()
    world.publish(publisher, last)
    until(lambda: last.id in other.ids, "the last event")


def test_what_has_effects_and_no_commit_comes_again(world: World, shop: Shop) -> None:
    effects: list[str] = []

    async def never_returns(envelope: Envelope) -> None:
        effects.append(envelope.id)
        await asyncio.Event().wait()

    dying = world.consumer(never_returns)
    event = world.event()
    world.publish(world.publisher(), event)
    until(lambda: effects == [event.id], "the effect")
    world.loop.run(dying.close())
    assert world.committed() == 0
    world.consumer(shop.handle)
    until(lambda: shop.ids == [event.id], "the same event again")


@ON_APACHE
def test_a_slow_handler_is_let_go_when_others_come(world: World, shop: Shop) -> None:
    held: list[str] = []

    async def never_returns(envelope: Envelope) -> None:
        held.append(envelope.id)
        await asyncio.Event().wait()

    slow = world.consumer(never_returns)
    events = [world.event(f"ord_{number}") for number in range(20)]
    world.publish(world.publisher(), *events)
    until(lambda: len(held) == 4, "every partition is at work")
    quick = world.consumer(shop.handle)
    until(lambda: len(quick.liveness.partitions) == 2, "its share")
    until(lambda: shop.handled, "events that the other had in hand")
    world.loop.run(slow.close())
    until(lambda: set(shop.ids) == {one.id for one in events}, "all events")
