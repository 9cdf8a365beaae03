"""How soon a buyer has the invoice: from Razorpay's webhook to the mail with the PDF.

Buyers order at a steady pace from the fleet's own parts, all of them on the machine's two cores:
payment takes the webhook, order applies it and tells deliver over Kafka, deliver makes the invoice,
keeps it in S3 and mails it. Razorpay and the models are stubs, the addresses were proved before.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pymongo
from pymongo.synchronous.database import Database

from loadtest.bench import markdown, orders, own_process, steady_buyers
from loadtest.bench.mail_inbox import MailInbox
from loadtest.bench.razorpay import Razorpay
from tracemypods.kit.mongo import Document
from tracemypods.local.fleet import Fleet

PER_SECOND = 5
GOAL_SECONDS = 5
WARM_UP = 10
_PARTS = ("s3", "mail", "deliver")
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Invoiced:
    """Seconds from each payment to its mail, and what there was in the end, warm-up included."""

    seconds: list[float]
    paid: int
    mails: int
    numbers: int

    def percentile(self, percent: int) -> float:
        """What so many of a hundred mails took at most, seconds."""
        return statistics.quantiles(self.seconds, n=100)[percent - 1]


def measure(folder: Path, count: int, tell: Callable[[str], None]) -> Invoiced:
    """Have so many orders bought, after a few to warm up.

    Raises RuntimeError unless each ended with one mail, and the numbers have no gap and no twin.
    """
    with ExitStack() as stack:
        everything = count + WARM_UP
        environment = {"TRACEMYPODS_SANDBOX_MAIL_KEPT_MESSAGES": str(2 * everything)}
        fleet = orders.selling_fleet(stack, folder, Razorpay(stack), _PARTS, environment)
        inbox = MailInbox(fleet.url("mail"))
        client: pymongo.MongoClient[Document] = pymongo.MongoClient(fleet.url("mongo"))
        stack.callback(client.close)
        database = client["tracemypods"]
        paid: dict[str, float] = {}
        for many in (WARM_UP, count):
            paid |= _buy(fleet, folder / "wishes.json", len(paid), many)
            _wait_until_all_is_told(database, len(paid))
            tell(f"  invoices: {len(paid)} of {everything} orders")
        mails = inbox.messages()
        if Counter(one["to"] for one in mails) != Counter(paid.keys()):
            raise RuntimeError(f"{len(paid)} orders were paid, and {len(mails)} mails came")
        received = {
            one["to"]: datetime.fromisoformat(one["received_at"]).timestamp() for one in mails
        }
        counted = list(paid)[WARM_UP:]
        return Invoiced(
            seconds=[received[address] - paid[address] for address in counted],
            paid=len(paid),
            mails=len(mails),
            numbers=_numbers(database, len(paid)),
        )


def table(invoiced: Invoiced) -> str:
    """The result as a Markdown table."""
    p50, p95, p99 = (f"{invoiced.percentile(percent):.2f}" for percent in (50, 95, 99))
    return markdown.rows(
        ["what", "measured", "goal"],
        [
            ["from the payment to the mail with the invoice, p50, seconds", p50, ""],
            ["p95, seconds", p95, f"at most {GOAL_SECONDS}"],
            ["p99, seconds", p99, ""],
            ["orders paid", str(invoiced.paid), ""],
            ["mails with an invoice, one for each order", str(invoiced.mails), "all"],
            ["numbers, from 1 on without a gap", str(invoiced.numbers), "all"],
        ],
    )


def _buy(fleet: Fleet, file: Path, first: int, count: int) -> dict[str, float]:
    """Have new buyers buy; returns when the payment of each was told of, by address."""
    addresses = [f"buyer{number}@example.test" for number in range(first, first + count)]
    asked = {
        "urls": orders.selling_urls(fleet),
        "per_second": PER_SECOND,
        "wishes": orders.wishes(fleet, addresses),
    }
    file.write_text(json.dumps(asked))
    told = own_process.result(steady_buyers.__name__, str(file))
    return dict(zip(addresses, told, strict=True))


def _wait_until_all_is_told(database: Database[Document], paid: int) -> None:
    """Wait until order knows that every invoice was delivered. Raises RuntimeError."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        done = database["deliveries"].count_documents({"status": "done"})
        open_ones = database["orders"].count_documents({"outbox_pending": {"$gt": 0}})
        if (done, open_ones) == (paid, 0):
            return
        if time.monotonic() > give_up:
            raise RuntimeError(f"{paid} orders: {done} delivered, {open_ones} not confirmed")
        time.sleep(0.2)


def _numbers(database: Database[Document], paid: int) -> int:
    """How many numbers were given. Raises RuntimeError unless they are those from 1 on."""
    given = sorted(int(one["number"].rpartition("/")[2]) for one in database["invoices"].find())
    if given != list(range(1, paid + 1)):
        raise RuntimeError(f"{paid} orders have the numbers {given}")
    return len(given)
