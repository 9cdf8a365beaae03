"""How soon a webhook of Razorpay's is answered, which is once it is stored.

The payment service and MongoDB share one core; Razorpay, which sends webhooks at a steady pace, and
an order service that takes every fact are on the other one. In the end every webhook has to be in
the inbox, and handed over once.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pymongo
from pymongo.synchronous.collection import Collection

from loadtest.bench import load, own_process, webhook_sender
from loadtest.bench.order_taker import OrderTaker
from loadtest.bench.razorpay import Razorpay
from tracemypods.kit.mongo import Document
from tracemypods.local import ports
from tracemypods.local.fleet import Fleet

PER_SECOND = 100
_HAND_OVER_SECONDS = 30


@dataclass(frozen=True)
class Round:
    """How many milliseconds each answer took, and what it took of the core.

    `payment` and `mongo` are milliseconds of processor time for a webhook, its hand-over included.
    """

    milliseconds: list[float]
    payment: float
    mongo: float

    @property
    def busy(self) -> float:
        """The share of their core that both used."""
        return (self.payment + self.mongo) * PER_SECOND / 1000

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        """What one in a hundred exceeds."""
        return statistics.quantiles(self.milliseconds, n=100)[98]


@dataclass(frozen=True)
class Webhooks:
    """The rounds, and what became of all webhooks, those of the round to warm up included."""

    rounds: list[Round]
    sent: int
    stored: int
    handed_over: int


def measure(folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]) -> Webhooks:
    """Send webhooks for so many seconds in each round, after a shorter one to warm up.

    Raises RuntimeError when one was not answered with 200, not stored, or not handed over once.
    """
    with ExitStack() as stack:
        razorpay = Razorpay(stack)
        order = OrderTaker(stack)
        fleet = stack.enter_context(
            Fleet(folder, parts=["mongo"], environment=razorpay.environment)
        )
        payment, pid = _payment_service(stack, folder, fleet, order)
        servers = (pid, load.pid(fleet, "mongo"))
        for one in servers:
            load.pin(one, load.SERVER_CORE)
        done: list[Round] = []
        sent = 0
        for number in range(rounds + 1):
            count = PER_SECOND * (seconds if number else 2)
            before = [load.processor_seconds(one) for one in servers]
            took = own_process.result(
                webhook_sender.__name__, f"{payment}/payment/webhook", str(count), str(PER_SECOND)
            )
            used = [
                (load.processor_seconds(one) - earlier) * 1000 / count
                for one, earlier in zip(servers, before, strict=True)
            ]
            sent += count
            if number:
                done.append(Round([one * 1000 for one in took], *used))
            tell(f"  webhook: round {number} of {rounds}")
        inbox = _inbox(stack, fleet)
        return Webhooks(done, sent, *_wait_until_handed_over(inbox, order, sent))


def _payment_service(
    stack: ExitStack, folder: Path, fleet: Fleet, order: OrderTaker
) -> tuple[str, int]:
    """Start the fleet's payment service before that order service: its URL and process id."""
    port = ports.unused()
    log = stack.enter_context((folder / "payment.log").open("wb"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tracemypods.payment"],
        env={
            **fleet.environment("payment"),
            "TRACEMYPODS_ORDER_URL": order.url,
            "TRACEMYPODS_PORT": str(port),
        },
        stdout=log,
        stderr=log,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}"
    load.wait_until_it_listens(url)
    return url, process.pid


def _inbox(stack: ExitStack, fleet: Fleet) -> Collection[Document]:
    """Where the payment service keeps what came in."""
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(fleet.url("mongo"))
    stack.callback(client.close)
    return client["tracemypods"]["payment_inbox"]


def _wait_until_handed_over(
    inbox: Collection[Document], order: OrderTaker, sent: int
) -> tuple[int, int]:
    """How many webhooks are stored and how many order has taken, once that is all of them.

    Raises RuntimeError when that does not come about.
    """
    give_up = time.monotonic() + _HAND_OVER_SECONDS
    while True:
        stored = inbox.count_documents({"source": "webhook"})
        done = inbox.count_documents({"state": "done", "outcome": "applied"})
        handed, different = order.facts()
        if stored == done == handed == different == sent:
            return stored, different
        if time.monotonic() > give_up:
            raise RuntimeError(
                f"of {sent} webhooks {stored} are stored and {done} done; order was handed "
                f"{handed} facts, {different} different ones"
            )
        time.sleep(0.2)
