"""What is beside deliver hangs, fails or dies while orders come in: it is named, and all arrives.

One invoice an order, numbers without a gap, one Message-ID an order. Leases are long, so that
nothing here is right only because one ran out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from test_deliveries import documents
from told_under_load import BusyOrder

from tracemypods.kit.clock import utc_now
from tracemypods.kit.operators import new_key
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.waiting import until

IMPATIENT = {
    "lease_seconds": 600,
    "retry_seconds": 0.05,
    "s3_connect_seconds": 1,
    "s3_read_seconds": 1,
    "s3_answer_seconds": 1.5,
    "smtp_answer_seconds": 1.5,
    "kafka_publish_seconds": 1,
}


@dataclass(frozen=True)
class World:
    """Deliver, what is beside it, and an operator who looks at it."""

    operator: httpx2.Client
    order: BusyOrder
    kafka: Kafka
    s3: S3
    inbox: Inbox
    mongo: Mongo
    log: pytest.LogCaptureFixture

    def named(self, *codes: str) -> None:
        """Wait until a problem shows in what an operator sees, or in the log."""

        def shows() -> bool:
            reasons = [str(getattr(one, "reason", "")) for one in list(self.log.records)]
            seen = self.operator.get("/api/deliveries", params={"limit": 100}).text
            return any(code in text for code in codes for text in (seen, *reasons))

        until(shows, f"one of {codes} is named")

    def await_a_mail_that_hangs(self) -> None:
        """Wait until something is on its way that will have to be told."""

        def sends() -> bool:
            found = self.operator.get("/api/deliveries", params={"limit": 100}).json()["items"]
            return any(one["mail"] == "sending" for one in found)

        until(sends, "a mail that hangs")


@contextmanager
def s3_hung(world: World) -> Iterator[None]:
    world.s3.pause()
    yield world.named("file_store_unavailable")
    world.s3.resume()


@contextmanager
def s3_killed(world: World) -> Iterator[None]:
    world.s3.kill()
    yield world.named("file_store_unavailable")
    world.s3.start()


@contextmanager
def mongo_hung(world: World) -> Iterator[None]:
    world.mongo.pause()
    yield world.named("delivery_store_unavailable")
    world.mongo.resume()


@contextmanager
def smtp_hung(world: World) -> Iterator[None]:
    world.inbox.fail("hang")
    yield world.named("UnknownOutcome")
    world.inbox.work_again()


@contextmanager
def smtp_busy(world: World) -> Iterator[None]:
    world.inbox.fail("refuse", code=451)
    yield world.named("TemporaryFailure")
    world.inbox.work_again()


@contextmanager
def smtp_drops(world: World) -> Iterator[None]:
    world.inbox.fail("drop", kept=False)
    yield world.named("UnknownOutcome")
    world.inbox.work_again()


@contextmanager
def smtp_drops_what_it_keeps(world: World) -> Iterator[None]:
    world.inbox.fail("drop", kept=True)
    yield world.named("UnknownOutcome")
    world.inbox.work_again()


@contextmanager
def kafka_hung(world: World) -> Iterator[None]:
    world.inbox.fail("hang")
    world.await_a_mail_that_hangs()
    world.kafka.pause()
    world.inbox.work_again()
    yield world.named("kafka_unavailable")
    world.kafka.resume()


@contextmanager
def kafka_killed(world: World) -> Iterator[None]:
    world.inbox.fail("hang")
    world.await_a_mail_that_hangs()
    world.kafka.kill()
    world.inbox.work_again()
    yield world.named("kafka_unavailable")
    world.kafka.start()


Fault = Callable[[World], AbstractContextManager[None]]

BRIEF = [
    pytest.param([s3_hung, s3_killed], id="s3"),
    pytest.param([mongo_hung], id="mongo"),
    pytest.param([smtp_hung, smtp_busy, smtp_drops, smtp_drops_what_it_keeps], id="smtp"),
    pytest.param([kafka_hung, kafka_killed], id="kafka"),
]
TOGETHER: list[list[Fault]] = [
    [smtp_busy, s3_hung, mongo_hung],
    [smtp_hung, s3_killed, mongo_hung],
    [smtp_drops_what_it_keeps, s3_hung],
    [kafka_hung, mongo_hung],
    [kafka_killed, mongo_hung],
]
"""Each is begun once the one before it is named, and all end together."""


@pytest.fixture
def world(
    kafka: Kafka,
    s3: S3,
    inbox: Inbox,
    mongo: Mongo,
    operators_file: Path,
    base: int,
    caplog: pytest.LogCaptureFixture,
    make_deliver_service: Callable[..., httpx2.Client],
) -> Iterator[World]:
    key, known = new_key("asha", ("deliveries:read",), utc_now())
    operators_file.write_text(known.model_dump_json() + "\n")
    service = make_deliver_service(**IMPATIENT)
    service.headers["Authorization"] = f"Bearer {key}"
    with BusyOrder(kafka, base) as order:
        yield World(service, order, kafka, s3, inbox, mongo, caplog)
        # Whatever went wrong, nothing waits for what hangs.
        for hung in (s3, mongo, kafka):
            hung.resume()
        inbox.work_again()


@pytest.mark.impatient
@pytest.mark.parametrize("faults", BRIEF)
def test_all_arrives_once_it_is_over(world: World, faults: list[Fault]) -> None:
    live_through(world, [[fault] for fault in faults])


@pytest.mark.impatient
@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_arrives_once_much_is_over(world: World) -> None:
    live_through(world, 3 * TOGETHER)


def live_through(world: World, rounds: list[list[Fault]]) -> None:
    order = world.order
    order.goes_on()
    for faults in rounds:
        world.log.clear()
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault(world))
            order.goes_on()
        order.await_confirmations()
    order.close_shop()
    order.await_confirmations()
    all_has_arrived_once(world)


def all_has_arrived_once(world: World) -> None:
    made = documents(world.mongo)
    assert sorted(one.order_id for one in made) == sorted(one.key for one in world.order.told)
    assert sorted(one.number for one in made) == [
        f"TMP/2627/{number:07d}" for number in range(1, len(made) + 1)
    ]
    mails = {(mail["to"], mail["message_id"]) for mail in world.inbox.messages()}
    assert len(mails) == len({to for to, _ in mails}) == len(made)
