"""From order's event to the mailed invoice: our deliver service against a plain Node service.

Both read from the same embedded broker and use the same MongoDB, S3 and mail server, and run all
the time; events are published to one of them at a time, as fast as the broker takes them. Nothing
is pinned: whoever can make use of both cores may. A side is done when it has confirmed all.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymongo

from loadtest.bench import confirmations, load, markdown
from loadtest.bench.confirmations import Broker
from loadtest.bench.mail_inbox import MailInbox
from loadtest.bench.markdown import spread
from loadtest.bench.peers import install, start
from tracemypods.contracts.events import (
    DELIVERIES,
    ORDER_PAID,
    ORDERS,
    BoughtBy,
    Envelope,
    Item,
    OrderPaid,
    SoldBy,
)
from tracemypods.contracts.prices import Price, Tax
from tracemypods.kit.ids import new_id
from tracemypods.kit.mongo import Document
from tracemypods.local.fleet import Fleet
from tracemypods.local.s3 import BUCKET

OURS = "our deliver service, every proof on"
NODE = "Node with kafkajs, mongodb, pdfkit, client-s3 and nodemailer"
DOCUMENTS = 300
WARM_UP = 40
_PARTS = ("mongo", "s3", "kafka", "mail", "deliver")
_STORES = ("mongo", "s3", "kafka", "mail")


@dataclass(frozen=True)
class Side:
    """Who makes invoices: its process, its topics, and the numbers that it gave."""

    pid: int
    topic: str
    confirmations: str
    numbers: Callable[[], list[str]]


@dataclass(frozen=True)
class Made:
    """What one side did in one round."""

    documents: int
    seconds: float
    part_seconds: Mapping[str, float]
    """Processor time of the side itself and of each server that it used."""

    @property
    def per_second(self) -> float:
        """Documents a second, by the clock."""
        return self.documents / self.seconds

    @property
    def busy(self) -> float:
        """How many cores' worth of processor time were used."""
        return sum(self.part_seconds.values()) / self.seconds


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> dict[str, list[Made]]:
    """Have each side make DOCUMENTS invoices in every round, interleaved, after a round to warm up.

    Raises RuntimeError unless each has exactly one mail, one file and one number without a gap.
    """
    with ExitStack() as stack:
        environment = {"TRACEMYPODS_SANDBOX_MAIL_KEPT_MESSAGES": str(2 * DOCUMENTS)}
        fleet = stack.enter_context(Fleet(folder, parts=_PARTS, environment=environment))
        broker = Broker(fleet.url("kafka"), fleet.secret("edge_order_deliver"))
        inbox = MailInbox(fleet.url("mail"))
        client: pymongo.MongoClient[Document] = pymongo.MongoClient(fleet.url("mongo"))
        stack.callback(client.close)
        sides = {OURS: _ours(fleet, client), NODE: _node(stack, fleet, client)}
        stores = {name: load.pid(fleet, name) for name in _STORES}
        made: dict[str, list[Made]] = {name: [] for name in sides}
        count = 0
        for number in range(rounds + 1):
            many = DOCUMENTS if number else WARM_UP
            for name in list(sides)[:: -1 if number % 2 else 1]:
                one = _round(broker, inbox, sides[name], stores, many)
                if number:
                    made[name].append(one)
            count += many
            for name, side in sides.items():
                if [int(one[-6:]) for one in side.numbers()] != list(range(1, count + 1)):
                    raise RuntimeError(f"{name}: {count} numbers are not 1 to {count}")
            tell(f"  invoice-pipeline: round {number} of {rounds}")
    return made


def ratios(made: Mapping[str, list[Made]]) -> list[float]:
    """How many times as many documents a second ours makes, round by round."""
    pairs = zip(made[OURS], made[NODE], strict=True)
    return [one.per_second / other.per_second for one, other in pairs]


def per_document(rounds: list[Made]) -> dict[str, float]:
    """Milliseconds of processor time that a document takes of each part: medians of all rounds."""
    return {
        part: statistics.median(one.part_seconds[part] * 1000 / one.documents for one in rounds)
        for part in rounds[0].part_seconds
    }


def table(made: Mapping[str, list[Made]]) -> str:
    """The result as a Markdown table."""
    ratio = spread(ratios(made), 2)
    lines: list[list[str]] = []
    for name, rounds in made.items():
        parts = sorted(per_document(rounds).items(), key=lambda one: -one[1])
        lines.append(
            [
                name,
                spread([one.per_second for one in rounds]),
                spread([one.busy for one in rounds]),
                ", ".join(f"{part} {milliseconds:.1f}" for part, milliseconds in parts),
                f"{ratio}, goal 1" if name == NODE else "",
            ]
        )
    return markdown.rows(
        [
            "who delivers",
            "documents a second",
            "cores used",
            "ms of processor time for a document",
            "ours to it",
        ],
        lines,
    )


def _ours(fleet: Fleet, client: pymongo.MongoClient[Document]) -> Side:
    invoices = client["tracemypods"]["invoices"]
    return Side(
        pid=load.pid(fleet, "deliver"),
        topic=ORDERS,
        confirmations=DELIVERIES,
        numbers=lambda: sorted(one["number"] for one in invoices.find({}, {"number": 1})),
    )


def _node(stack: ExitStack, fleet: Fleet, client: pymongo.MongoClient[Document]) -> Side:
    invoices = client["peer"]["invoices"]
    topic, told = "peer.orders", "peer.deliveries"
    pid = start.run(
        stack,
        ["node", str(install.invoices() / "invoices.js")],
        {
            "BROKER": fleet.url("kafka").removeprefix("kafka://"),
            "TOPIC": topic,
            "CONFIRMATIONS": told,
            "MONGO_URL": fleet.url("mongo"),
            "S3_URL": fleet.url("s3"),
            "BUCKET": BUCKET,
            "ACCESS_KEY": fleet.secret("s3_access_key"),
            "SECRET_KEY": fleet.secret("s3_secret_key"),
            "SMTP_URL": fleet.provided("smtp"),
        },
    )
    return Side(
        pid=pid,
        topic=topic,
        confirmations=told,
        numbers=lambda: sorted(one["number"] for one in invoices.find({}, {"number": 1})),
    )


def _round(
    broker: Broker, inbox: MailInbox, side: Side, stores: Mapping[str, int], count: int
) -> Made:
    """Have one side make so many invoices. Raises RuntimeError."""
    inbox.empty()
    told = [paid(number) for number in range(count)]
    pids = {"itself": side.pid, **stores}
    before = {name: _processor_seconds(pid) for name, pid in pids.items()}
    seconds = asyncio.run(confirmations.until_all(broker, side.topic, side.confirmations, told))
    used = {name: _processor_seconds(pid) - before[name] for name, pid in pids.items()}
    mails = inbox.messages()
    to = Counter(one["to"] for one in mails)
    if to != Counter(one.body["email"] for one in told):
        raise RuntimeError(f"{count} invoices came in {len(mails)} mails to {len(to)} buyers")
    if any([file["type"] for file in one["attachments"]] != ["application/pdf"] for one in mails):
        raise RuntimeError("a mail came without its invoice")
    return Made(count, seconds, used)


def _processor_seconds(pid: int) -> float:
    """The processor time of a process and of those that it started, ended ones included."""
    family: list[Any] = [psutil.Process(pid)]
    family += family[0].children(recursive=True)
    return sum(sum(one.cpu_times()[:4]) for one in family)


def paid(number: int) -> Envelope:
    """A paid order, as order tells of it."""
    now = time.time_ns() // 1_000_000
    order = OrderPaid(
        order_id=new_id("ord"),
        livemode=True,
        payment_id=f"pay_{number}",
        paid_at=now,
        email=f"buyer{number}@example.test",
        plan=Item(id="premium-30", title="Premium, 30 days", days=30, hsn="998439"),
        buyer=BoughtBy(name="Asha Rao", country="IN", state="29"),
        seller=SoldBy(
            name="Example Traders",
            address="1 Example Street\nMumbai 400001",
            gstin="27AAPFU0939F1ZV",
            email="help@example.test",
        ),
        price=Price(total=9900, taxable=8390, taxes=[Tax(name="IGST", rate=1800, amount=1510)]),
    )
    return Envelope(
        id=f"{order.order_id}:paid",
        type=ORDER_PAID,
        at=now,
        key=order.order_id,
        producer="order",
        body=order.model_dump(mode="json"),
    )
