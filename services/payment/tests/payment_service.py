"""What the tests of the payment service share."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from tracemypods.contracts.payments import CREATE_PATH, FACTS_PATH, REFUND_PATH
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.http_stub import Answer, Asked, HttpStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import (
    KEY_ID,
    KEY_SECRET,
    WEBHOOK_SECRET,
    RazorpaySandbox,
)
from tracemypods.local.testing.served import ServedApp
from tracemypods.payment.app import create_app
from tracemypods.payment.settings import Settings

OLD_WEBHOOK_SECRET = "webhook-secret-before-that-0123456789"

FROM_ORDER = "edge-key-from-order-to-payment-01234567"
TO_ORDER = "edge-key-from-payment-to-order-01234567"

NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""

CONFIG = Path(__file__).parents[3] / "config"


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(7)}"


class OrderStub:
    """The order service: remembers the facts that it was handed, and takes them as the test says.

    `outcome` is what it makes of a fact; an int is a status that it fails with, None breaks off.
    """

    def __init__(self, stub: HttpStub) -> None:
        self.facts: list[dict[str, Any]] = []
        self.refused = 0
        self.outcome: Callable[[dict[str, Any]], str | int | None] = lambda _fact: "applied"
        self.keys: set[str] = set()
        self.url = stub.url
        self._lock = threading.Lock()
        stub.respond = self._respond

    def _respond(self, asked: Asked) -> Answer | None:
        assert (asked.method, asked.path) == ("POST", FACTS_PATH)
        with self._lock:
            self.keys.add(asked.headers["authorization"])
            outcome = self.outcome(asked.json["fact"])
            if isinstance(outcome, str):
                self.facts.append(asked.json)
                return 200, {"outcome": outcome, "order_id": "ord_1", "a_newer_field": 1}
            self.refused += 1
            return None if outcome is None else (outcome, {"code": "store_unavailable"})

    def ids(self) -> list[str]:
        """The ids of what was handed over, in that order."""
        with self._lock:
            return [one["fact"]["id"] for one in self.facts]


def payment(status: str = "captured", **fields: Any) -> dict[str, Any]:
    """A payment as Razorpay shows it."""
    return {
        "id": new_id("pay"),
        "entity": "payment",
        "amount": 49900,
        "currency": "INR",
        "status": status,
        "order_id": new_id("order"),
        "method": "upi",
        "amount_refunded": 0,
        "email": "asha@example.com",
        "contact": "+919000090000",
        "vpa": "asha@upi",
        "notes": [],
        "error_code": None,
        "error_description": None,
        "created_at": 1_900_000_000,
        **fields,
    }


def event(name: str, **entities: dict[str, Any]) -> bytes:
    """A webhook's body."""
    body = {
        "entity": "event",
        "account_id": "acc_1",
        "event": name,
        "contains": list(entities),
        "payload": {kind: {"entity": entity} for kind, entity in entities.items()},
        "created_at": 1_900_000_001,
    }
    return json.dumps(body).encode()


def sign(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Service:
    """The payment service, and those who call it."""

    def __init__(self, url: str, razorpay: httpx2.Client, order: httpx2.Client) -> None:
        self.url = url
        self.anonymous = razorpay
        self.order = order

    def deliver(
        self, body: bytes, *, event_id: str | None = None, secret: str = WEBHOOK_SECRET
    ) -> httpx2.Response:
        """Send a webhook as Razorpay does."""
        headers = {"X-Razorpay-Signature": sign(body, secret), "Content-Type": "application/json"}
        headers["X-Razorpay-Event-Id"] = event_id or secrets.token_hex(7)
        return self.anonymous.post("/payment/webhook", content=body, headers=headers)

    def taken(self, body: bytes, **how: Any) -> None:
        """Send a webhook that must be stored."""
        answer = self.deliver(body, **how)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"received": True}

    def forward(self, sandbox: RazorpaySandbox, order_id: str) -> None:
        """Bring an order's webhooks from a sandbox that does not send them itself."""
        for one in sandbox.webhooks(order_id=order_id):
            headers = {
                "X-Razorpay-Signature": one["signature"],
                "X-Razorpay-Event-Id": one["event_id"],
            }
            answer = self.anonymous.post(
                "/payment/webhook", content=one["body"].encode(), headers=headers
            )
            assert answer.status_code == 200, answer.text

    def create(self, receipt: str = "ord_1", amount: int = 49900, **more: Any) -> httpx2.Response:
        """Have an order made, as order does."""
        asked = {"receipt": receipt, "amount": amount, "currency": "INR", **more}
        return self.order.post(CREATE_PATH, json=asked)

    def created(self, receipt: str = "ord_1", amount: int = 49900) -> str:
        """Have an order made that can be made; its id at Razorpay."""
        answer = self.create(receipt, amount)
        assert answer.status_code == 200, answer.text
        return answer.json()["razorpay_order_id"]

    def refund(
        self, payment_id: str, amount: int = 10000, refund_id: str = "rfd_0123456789"
    ) -> httpx2.Response:
        """Have money given back, as order does."""
        asked = {"refund_id": refund_id, "payment_id": payment_id, "amount": amount, "reason": "x"}
        return self.order.post(REFUND_PATH, json=asked)


class Operator:
    """An operator of the payment service."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(f"/api/payments{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def inbox(self, **query: Any) -> list[dict[str, Any]]:
        return self.get("/inbox", **query)["items"]

    def states(self) -> list[str]:
        return [one["state"] for one in self.inbox(limit=100)]


def settings_of(mongo: Mongo, order_url: str, razorpay_url: str) -> dict[str, Any]:
    """The settings of the tests: impatient, and with money that is not real."""
    return {
        "mode": Mode.LOCAL,
        "config_dir": CONFIG,
        **mongo.login(),
        "order_url": order_url,
        "razorpay_url": razorpay_url,
        "key_id": KEY_ID,
        "key_secret": KEY_SECRET,
        "webhook_secrets": (WEBHOOK_SECRET, OLD_WEBHOOK_SECRET),
        "retry_seconds": 0.2,
        "poll_seconds": 0.05,
        "order_seconds": 2.0,
    }


@contextmanager
def serve(values: dict[str, Any], operators: Any, clock: Clock = utc_now) -> Iterator[Service]:
    """The service in this process."""
    app = create_app(Settings(**values), clock)
    app.state.edge_keys = EdgeKeys({"order": SecretStr(FROM_ORDER)})
    app.state.operator_keys = OperatorKeys(operators)
    with (
        ServedApp(app) as served,
        caller(served.url, None) as anonymous,
        caller(served.url, FROM_ORDER) as order,
    ):
        yield Service(served.url, anonymous, order)
