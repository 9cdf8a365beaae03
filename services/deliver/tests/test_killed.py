"""Killed at every step: every order has one invoice with a number of its own, and none is missing.

Each life finds what those before it have left, is told of new orders, and dies at a later moment
than the last one. Mails come at least once, under one Message-ID.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deliver_orders import paid, refunded, told, told_refund
from deliver_service import OrderSide, environment
from test_deliveries import documents

from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.waiting import until

SCRIPT = Path(__file__).with_name("dying_deliver.py")
MOMENTS = 110
"""About as many as a life has that finds nothing left to do; others have more."""
QUICK = {"TRACEMYPODS_KAFKA_SESSION_SECONDS": "2", "TRACEMYPODS_DELIVER_LEASE_SECONDS": "1"}
"""So that no life waits long for what the last one had."""


class Mortal(Replica):
    """The service as a process of its own, which dies at a moment of its life."""

    def live(self, fatal: int) -> None:
        """Start it, to die at a moment (0: never)."""
        self.program = (str(SCRIPT), str(fatal))
        self.start(may_end=True)


@pytest.fixture
def mortal(mongo: Mongo, kafka: Kafka, s3: S3, inbox: Inbox) -> Iterator[Mortal]:
    mortal = Mortal("deliver", {**environment(mongo, kafka, s3, inbox), **QUICK})
    yield mortal
    mortal.stop()


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(range(1, MOMENTS, 18), id="some"),
        pytest.param(range(1, MOMENTS), id="all", marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(1200)
def test_killed_at_every_step(
    mortal: Mortal, order: OrderSide, mongo: Mongo, inbox: Inbox, base: int, moments: range
) -> None:
    orders = 0

    def all_have_come() -> bool:
        # One invoice each, and a credit note for every second order.
        return len({mail["message_id"] for mail in inbox.messages()}) == orders + orders // 2

    for fatal in moments:
        mortal.live(fatal)
        bought = [paid(base + orders + one) for one in range(2)]
        orders += 2
        order.tell([*map(told, bought), told_refund(refunded(bought[0], 4900)), *map(told, bought)])
        until(lambda: mortal.has_ended or all_have_come(), f"the end of a life of {fatal} moments")
        if not mortal.has_ended:
            assert fatal > 60  # there is less to do than that
            mortal.stop()
    mortal.live(0)
    until(all_have_come)
    mails = {(mail["to"], mail["subject"]) for mail in inbox.messages()}
    assert len(mails) == orders + orders // 2
    made = documents(mongo)
    for series, kind, count in (("TMP", "invoice", orders), ("TCN", "credit_note", orders // 2)):
        assert sorted(one.number for one in made if one.kind == kind) == [
            f"{series}/2627/{number:07d}" for number in range(1, count + 1)
        ]
