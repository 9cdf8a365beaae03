"""The loads of `make bench`, on services that each run alone: what of them is taken for memory."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import httpx2

from loadtest.bench import (
    buyers,
    cache_hit,
    confirmations,
    embedding,
    invoice_pipeline,
    load,
    orders,
    own_process,
    questions,
    semantic_hit,
    token_check,
    webhook_sender,
)
from loadtest.bench.confirmations import Broker
from loadtest.bench.questions import Answerer
from loadtest.bench.razorpay import Razorpay
from loadtest.bench.upstream import Upstream
from loadtest.budget.alone import Alone
from tracemypods.contracts.events import DELIVERIES, ORDERS
from tracemypods.contracts.payments import SANDBOX_KEY_ID
from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.kit import deadlines

TEXTS_PER_CALL, CALLS, EMBEDDERS = 64, 10_000, 4
PATIENCE = "30000"
"""How many milliseconds a call may take."""
ENTRIES = 1_000
"""Of the semantic cache. A server keeps them, not ask or the vector service."""
WEBHOOKS_PER_SECOND = 20
"""Fewer than in the bench, which has a core for them: none may be refused."""
PORTION = 50
"""So many invoices are asked for at a time."""
PAGES = ("/", "/chat.html", "/pay.html", "/terms.html", "/packages/markdown-it.js")


@dataclass(frozen=True)
class Group:
    """Services that are loaded together: what they run beside, and what is asked of them."""

    backends: tuple[str, ...]
    services: tuple[str, ...]
    measured: tuple[str, ...]
    environment: Callable[[ExitStack], Mapping[str, str]]
    run: Callable[[Alone, Path, int], None]


def _nothing(_stack: ExitStack) -> Mapping[str, str]:
    return {}


def _models(stack: ExitStack) -> Mapping[str, str]:
    return {
        "TRACEMYPODS_MODELS_URL": Upstream(stack, cache_hit.MODEL).url,
        "TRACEMYPODS_ASK_CACHE_PER_TOKEN": str(2 * ENTRIES),
    }


def _selling(stack: ExitStack) -> Mapping[str, str]:
    nobody = {"TRACEMYPODS_SMTP_URL": "smtp://127.0.0.1:9"}  # is sent a mail
    return {**_models(stack), **Razorpay(stack).environment, **nobody}


def _mailing(engine: EngineName) -> Callable[[ExitStack], Mapping[str, str]]:
    return lambda _stack: {
        "TRACEMYPODS_SANDBOX_MAIL_KEPT_MESSAGES": str(2 * invoice_pipeline.DOCUMENTS),
        "TRACEMYPODS_DELIVER_ENGINE": engine,
    }


def _check_tokens(alone: Alone, folder: Path, seconds: int) -> None:
    url = f"{alone.url('token')}{token_check.PATH}"
    tokens = _tokens(alone, token_check.TOKENS)
    requests = [{"headers": {"authorization": f"Bearer {token}"}} for token in tokens]
    _flood(alone, "token", url, requests, folder, seconds)


def _ask(alone: Alone, folder: Path, seconds: int) -> None:
    """Fill the semantic cache, find what is in it in other words, then the exact cache at most."""
    answerer = Answerer(alone.url("ask"), {"Authorization": f"Bearer {_tokens(alone, 1)[0]}"})
    questions.ask(folder, answerer, list(map(semantic_hit.question, range(ENTRIES))))
    count = min(ENTRIES, seconds * semantic_hit.PER_SECOND)
    found = questions.ask(folder, answerer, list(map(semantic_hit.in_other_words, range(count))))
    if all(one.state != "semantic" for one in found):
        raise RuntimeError("nothing was found in other words")
    tokens = _tokens(alone, cache_hit.TOKENS)
    requests = cache_hit.requests_of(tokens, cache_hit.BODIES_PER_QUESTION)
    url = f"{alone.url('ask')}{cache_hit.PATH}"
    with httpx2.Client(timeout=60) as client:
        # What is new to all callers at once would be refused: the model's queue is short.
        for one in cache_hit.requests_of(tokens):
            client.post(url, content=one["body"], headers=one["headers"]).raise_for_status()
    _flood(alone, "ask", url, requests, folder, seconds)


def _embed(alone: Alone, _folder: Path, seconds: int) -> None:
    """Full runs of texts that it has not seen, a few callers at a time: more would be refused."""
    texts = embedding.texts()
    url = f"{alone.url('embedding')}/api/embedding"
    headers = _bearer(alone.fleet.secret("edge_ask_embedding")) | {deadlines.HEADER: PATIENCE}
    give_up = time.monotonic() + seconds

    def call(number: int) -> None:
        if time.monotonic() > give_up:
            return
        chosen = [f"{texts[one]} ({number})" for one in range(TEXTS_PER_CALL)]
        client.post(url, json={"input": chosen}, headers=headers).raise_for_status()

    with httpx2.Client(timeout=60) as client, ThreadPoolExecutor(EMBEDDERS) as pool:
        list(pool.map(call, range(CALLS)))


def _sell(alone: Alone, folder: Path, seconds: int) -> None:
    order, file = alone.url("order"), folder / "wishes.json"
    webhooks = f"{alone.url('payment')}/payment/webhook"
    urls = {
        "create": f"{order}/create-order",
        "webhook": webhooks,
        "verify": f"{order}/verify-payment",
    }
    wishes = orders.wishes(alone.fleet, orders.addresses())
    file.write_text(json.dumps({"urls": urls, "seconds": seconds, "wishes": wishes}))
    own_process.result(buyers.__name__, str(file))
    count = str(WEBHOOKS_PER_SECOND * seconds)
    own_process.result(webhook_sender.__name__, webhooks, count, str(WEBHOOKS_PER_SECOND))


def _deliver(alone: Alone, _folder: Path, seconds: int) -> None:
    broker = Broker(alone.fleet.url("kafka"), alone.fleet.secret("edge_order_deliver"))
    began = time.monotonic()
    told = [invoice_pipeline.paid(number) for number in range(invoice_pipeline.DOCUMENTS)]
    while told and time.monotonic() - began < seconds:
        asyncio.run(confirmations.until_all(broker, ORDERS, DELIVERIES, told[:PORTION]))
        told = told[PORTION:]


def _show_pages(alone: Alone, folder: Path, seconds: int) -> None:
    for page in PAGES:
        url = f"{alone.url('frontend')}{page}"
        _flood(alone, "frontend", url, [{"headers": {}}], folder, max(1, seconds // len(PAGES)))


def _order_of_razorpay(alone: Alone, folder: Path, seconds: int) -> None:
    key = f"{SANDBOX_KEY_ID}:{alone.fleet.secret('razorpay_key_secret')}"
    headers = {"authorization": f"Basic {base64.b64encode(key.encode()).decode()}"}
    body = {"amount": 9900, "currency": "INR"}
    url = f"{alone.url('razorpay')}/v1/orders"
    _flood(alone, "razorpay", url, [_post(headers, body)], folder, seconds)


GROUPS = (
    Group(("redis", "mongo"), ("token",), ("token",), _nothing, _check_tokens),
    Group(
        ("redis", "mongo"),
        ("token", "ask", "embedding", "vector"),
        ("ask", "vector"),
        _models,
        _ask,
    ),
    Group(("redis",), ("embedding",), ("embedding",), _nothing, _embed),
    Group(
        ("redis", "mongo", "kafka"),
        ("token", "ask", "payment", "order"),
        ("payment", "order"),
        _selling,
        _sell,
    ),
    *(
        Group(
            ("mongo", "s3", "kafka", "mail"),
            ("deliver",),
            ("deliver",),
            _mailing(engine),
            _deliver,
        )
        for engine in get_args(EngineName)
    ),
    Group(("redis",), ("frontend",), ("frontend",), _nothing, _show_pages),
    Group(("redis",), ("razorpay",), ("razorpay",), _nothing, _order_of_razorpay),
)


def _tokens(alone: Alone, count: int) -> list[str]:
    url = f"{alone.url('token')}/api/token"
    with httpx2.Client() as client:
        return [client.post(url).json()["token"] for _ in range(count)]


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _post(headers: Mapping[str, str], body: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "headers": {**headers, "content-type": "application/json"},
        "body": json.dumps(body),
    }


def _flood(
    alone: Alone,
    service: str,
    url: str,
    requests: Sequence[Mapping[str, Any]],
    folder: Path,
    seconds: int,
) -> None:
    file = folder / "requests.json"
    file.write_text(json.dumps(requests))
    load.run(url, file, alone.pid(service), seconds)
