"""From an order to its token: our services against a plain shop of Express and the official driver.

Buyers order, Razorpay's stub answers at once, its webhook comes in, and the page verifies the
payment until it has the token. All servers of a side share one core: ours with their MongoDB and
Valkey, and Express with a MongoDB of its own of the same kind. Buyers and Razorpay have the other
core. The addresses were proved before.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
from pydantic import SecretStr
from pymongo.synchronous.database import Database

from loadtest.bench import buyers, load, markdown, own_process
from loadtest.bench.markdown import spread
from loadtest.bench.peers import install, start
from loadtest.bench.razorpay import KEY_ID, KEY_SECRET, WEBHOOK_SECRET, Razorpay
from loadtest.bench.upstream import Upstream
from tracemypods.kit.clock import utc_now
from tracemypods.kit.mongo import Document
from tracemypods.local.fleet import Fleet
from tracemypods.order.codes.challenges import Asked
from tracemypods.order.codes.verifications import Verifications

OURS = "our services, every proof on"
EXPRESS = "Express 5 with mongodb"
BUYERS = 16
"""How many buy at a time, each with an address of their own."""
SELLING = ("redis", "mongo", "kafka", "token", "ask", "payment", "order")
"""The parts of a fleet that have to do with an order."""
_MODEL = "smollm2:135m"
_PLAN = {"plan": "premium-30", "buyer": {"name": "Asha Rao", "country": "IN", "state": "29"}}


@dataclass(frozen=True)
class Shop:
    """Servers that run: where is bought, which processes they are, and their database."""

    urls: Mapping[str, str]
    pids: Mapping[str, int]
    wishes: list[dict[str, Any]]
    database: Database[Document]


@dataclass(frozen=True)
class Bought:
    """What one shop sold in one round."""

    orders: int
    seconds: float
    server_seconds: Mapping[str, float]
    """Processor time of each server."""
    milliseconds: list[float]
    """From the order to its token."""

    @property
    def core_seconds(self) -> float:
        """Processor time of all its servers."""
        return sum(self.server_seconds.values())

    @property
    def per_core(self) -> float:
        """Orders per second of processor time."""
        return self.orders / self.core_seconds

    @property
    def busy(self) -> float:
        """The share of their core that its servers used."""
        return self.core_seconds / self.seconds

    @property
    def p50(self) -> float:
        """The median of milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        """What one in a hundred exceeds."""
        return statistics.quantiles(self.milliseconds, n=100)[98]


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, list[Bought]]:
    """Buy at each shop `rounds` times for so many seconds, interleaved, after a round to warm up.

    Raises RuntimeError when an order did not end with a token of its own.
    """
    with ExitStack() as stack:
        razorpay = Razorpay(stack)
        shops = {
            OURS: _ours(stack, folder / "ours", razorpay),
            EXPRESS: _express(stack, folder / "express", razorpay),
        }
        for shop in shops.values():
            for pid in shop.pids.values():
                load.pin(pid, load.SERVER_CORE)
        bought: dict[str, list[Bought]] = {name: [] for name in shops}
        sold = dict.fromkeys(shops, 0)
        for number in range(rounds + 1):
            for name in list(shops)[:: -1 if number % 2 else 1]:
                one = _buy(shops[name], folder / "wishes.json", seconds if number else 2)
                sold[name] += one.orders
                if number:
                    bought[name].append(one)
            tell(f"  orders: round {number} of {rounds}")
        _require(
            shops[OURS], sold[OURS], "premium_tokens", {"token": "issued", "token_shown": True}
        )
        _require(shops[EXPRESS], sold[EXPRESS], "tokens", {"status": "fulfilled"})
    return bought


def ratios(ours: list[Bought], theirs: list[Bought]) -> list[float]:
    """How many times as many orders a core ours handles, round by round."""
    return [one.per_core / other.per_core for one, other in zip(ours, theirs, strict=True)]


def per_order(bought: list[Bought]) -> dict[str, float]:
    """Milliseconds of processor time that an order takes of each server, in all rounds."""
    orders = sum(one.orders for one in bought)
    return {
        name: sum(one.server_seconds[name] for one in bought) * 1000 / orders
        for name in bought[0].server_seconds
    }


def table(bought: dict[str, list[Bought]]) -> str:
    """The result as a Markdown table."""
    ratio = spread(ratios(bought[OURS], bought[EXPRESS]), 2)
    lines: list[list[str]] = []
    for name, rounds in bought.items():
        parts = sorted(per_order(rounds).items(), key=lambda one: -one[1])
        lines.append(
            [
                name,
                spread([one.per_core for one in rounds]),
                spread([one.p50 for one in rounds], 0),
                spread([one.p99 for one in rounds], 0),
                f"{statistics.median(one.busy for one in rounds):.0%}",
                ", ".join(f"{part} {milliseconds:.1f}" for part, milliseconds in parts),
                f"{ratio}, goal 1" if name == EXPRESS else "",
            ]
        )
    return markdown.rows(
        [
            "shop",
            "orders a second of its core",
            "order to token, p50, ms",
            "p99, ms",
            "core used",
            "ms of the core for an order",
            "ours to it",
        ],
        lines,
    )


def _ours(stack: ExitStack, folder: Path, razorpay: Razorpay) -> Shop:
    nobody = {"TRACEMYPODS_SMTP_URL": "smtp://127.0.0.1:9"}  # is sent a mail
    fleet = selling_fleet(stack, folder, razorpay, (), nobody)
    return Shop(
        urls=selling_urls(fleet),
        pids={part: load.pid(fleet, part) for part in SELLING},
        wishes=wishes(fleet, addresses()),
        database=_database(stack, fleet, "tracemypods"),
    )


def selling_fleet(
    stack: ExitStack,
    folder: Path,
    razorpay: Razorpay,
    more_parts: Sequence[str],
    environment: Mapping[str, str],
) -> Fleet:
    """The parts of a fleet that sell, and more, with stubs of Razorpay and of the models."""
    models = Upstream(stack, _MODEL)
    return stack.enter_context(
        Fleet(
            folder,
            parts=[*SELLING, *more_parts],
            environment={
                **razorpay.environment,
                "TRACEMYPODS_MODELS_URL": models.url,
                **environment,
            },
        )
    )


def selling_urls(fleet: Fleet) -> dict[str, str]:
    """Where is bought, as buyers want to be told."""
    order = fleet.url("order")
    return {
        "create": f"{order}/create-order",
        "webhook": f"{fleet.url('payment')}/payment/webhook",
        "verify": f"{order}/verify-payment",
    }


def wishes(fleet: Fleet, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """What has a fleet make an order, for each of some addresses, which count as proved."""
    verifications = Verifications(SecretStr(fleet.secret("order_secret_key")), utc_now)
    proved = [verifications.make(Asked(address, "buy")) for address in addresses]
    return [{"verification": one, **_PLAN} for one in proved]


def _express(stack: ExitStack, folder: Path, razorpay: Razorpay) -> Shop:
    fleet = stack.enter_context(Fleet(folder, parts=["redis", "mongo"]))
    url, pid = start.start(
        stack,
        ["node", str(install.express() / "orders.js")],
        fleet,
        {
            "MONGO_URL": fleet.url("mongo"),
            "RAZORPAY_URL": razorpay.url,
            "KEY_ID": KEY_ID,
            "KEY_SECRET": KEY_SECRET,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
        },
    )
    load.wait_until_it_listens(url)
    return Shop(
        urls={
            "create": f"{url}/create-order",
            "webhook": f"{url}/payment/webhook",
            "verify": f"{url}/verify-payment",
        },
        pids={"mongo": load.pid(fleet, "mongo"), "express": pid},
        wishes=[{"email": address, **_PLAN} for address in addresses()],
        database=_database(stack, fleet, "shop"),
    )


def addresses() -> list[str]:
    return [f"buyer{number}@example.test" for number in range(BUYERS)]


def _database(stack: ExitStack, fleet: Fleet, name: str) -> Database[Document]:
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(fleet.url("mongo"))
    stack.callback(client.close)
    return client[name]


def _buy(shop: Shop, file: Path, seconds: int) -> Bought:
    """Have all buyers buy for so many seconds. Raises RuntimeError."""
    file.write_text(json.dumps({"urls": shop.urls, "seconds": seconds, "wishes": shop.wishes}))
    before = {name: load.processor_seconds(pid) for name, pid in shop.pids.items()}
    result = own_process.result(buyers.__name__, str(file))
    used = {name: load.processor_seconds(pid) - before[name] for name, pid in shop.pids.items()}
    took = [one * 1000 for one in result["took"]]
    if result["tokens"] != len(took):
        raise RuntimeError(f"{len(took)} orders ended with {result['tokens']} different tokens")
    return Bought(len(took), result["seconds"], used, took)


def _require(shop: Shop, sold: int, tokens: str, ended: Document) -> None:
    """Raise RuntimeError unless the shop has so many orders, all ended so, and as many tokens."""
    orders = shop.database["orders"]
    counts = (
        orders.count_documents({}),
        orders.count_documents(ended),
        shop.database[tokens].count_documents({}),
    )
    if set(counts) != {sold}:
        raise RuntimeError(f"{sold} orders were bought; of orders, ended, tokens are {counts}")
