"""The services beside order, as small as they can be: they keep books, and fail on demand."""

from __future__ import annotations

import threading
from typing import Any

from pydantic import SecretStr

from tracemypods.contracts import payments, premium_tokens
from tracemypods.kit.internal import edge_variable
from tracemypods.local.testing.http_stub import Answer, Asked, HttpStub

PAYMENT_KEY = SecretStr("edge-key-from-payment-to-order-01234")
TO_DELIVER_KEY = "edge-key-from-order-to-deliver-01234"
FROM_DELIVER_KEY = "edge-key-from-deliver-to-order-01234"
EVENT_KEYS = {
    edge_variable("order", "deliver"): TO_DELIVER_KEY,
    edge_variable("deliver", "order"): FROM_DELIVER_KEY,
}
"""With which events are signed, by their variables."""
EDGE_KEYS = {"payment": PAYMENT_KEY}
TO_TOKEN_KEY = SecretStr("edge-key-from-order-to-token-0123456")
TO_PAYMENT_KEY = SecretStr("edge-key-from-order-to-payment-01234")
SECRET_KEY = SecretStr("secret-key-of-order-in-tests-0123456")


def problem(status: int, code: str, detail: str = "no") -> Answer:
    fixed = {"type": "about:blank", "title": "no", "request_id": "req_1"}
    return status, {**fixed, "status": status, "code": code, "detail": detail}


class _Beside(HttpStub):
    """Answers 503, as payment does, while it is `away`. What it does, it does one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.lock = threading.Lock()
        self.respond = self._respond

    def _respond(self, asked: Asked) -> Answer:
        if self.away:
            return problem(503, "razorpay_unavailable")
        with self.lock:
            return self.good(asked)

    def good(self, asked: Asked) -> Answer:
        raise AssertionError(asked.path)


class TokenStub(_Beside):
    """Issues a token an order, as the token service does."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []

    def good(self, asked: Asked) -> Answer:
        order_id = asked.json["order_id"]
        state = self.states.get(order_id)
        action = asked.path.rpartition("/")[2]
        self.told.append((action, order_id))
        match asked.path:
            case premium_tokens.ISSUE_PATH:
                if state in ("revoked", "suspended"):
                    return problem(409, f"order_{state}")
                self.states[order_id] = "active"
                return 200, {
                    "token": f"tmpods_premium_{order_id}",
                    "plan": "premium",
                    "expires_at": "2031-01-01T00:00:00Z",
                }
            case premium_tokens.REVOKE_PATH:
                self.states[order_id] = "revoked"
            case premium_tokens.SUSPEND_PATH if state is None:
                return problem(404, "order_unknown")
            case premium_tokens.RESUME_PATH if state is None:
                return problem(404, "order_unknown")
            case _ if state == "revoked":
                return problem(409, "order_revoked")
            case premium_tokens.SUSPEND_PATH:
                self.states[order_id] = "suspended"
            case premium_tokens.RESUME_PATH:
                self.states[order_id] = "active"
            case _:
                return problem(404, "not_found")
        return 200, {"order_id": order_id, "status": self.states[order_id]}


class PaymentStub(_Beside):
    """Makes orders at Razorpay, knows payments, and gives money back."""

    def __init__(self) -> None:
        super().__init__()
        self.livemode = False
        self.orders: dict[str, str] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refuse_refunds = False

    def good(self, asked: Asked) -> Answer:
        body = asked.json
        match asked.path:
            case payments.ABOUT_PATH:
                return 200, {"livemode": self.livemode, "checkout_url": "/checkout.js"}
            case payments.CREATE_PATH:
                made = f"order_{len(self.orders):014}"
                return 200, {
                    "razorpay_order_id": self.orders.setdefault(body["receipt"], made),
                    "amount": body["amount"],
                    "currency": body["currency"],
                    "key_id": "rzp_test_0123456789",
                    "livemode": self.livemode,
                }
            case payments.CHECK_PATH:
                if body["razorpay_signature"] != "good":
                    return problem(403, "signature_invalid")
                return 200, self.known[body["razorpay_payment_id"]]
            case payments.REFUND_PATH:
                if self.refuse_refunds:
                    return problem(409, "BAD_REQUEST_ERROR", "The amount is too large")
                fact = {
                    "kind": "refund",
                    "id": f"rfnd_{len(self.refunds):014}",
                    "payment_id": body["payment_id"],
                    "razorpay_order_id": None,
                    "status": "processed",
                    "amount": body["amount"],
                    "currency": "INR",
                    "receipt": body["refund_id"],
                    "created_at": 1,
                    "livemode": self.livemode,
                }
                return 200, self.refunds.setdefault(body["refund_id"], fact)
            case _:
                return problem(404, "not_found")


class AskStub(_Beside):
    """Has models."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "ready"

    def good(self, asked: Asked) -> Answer:  # noqa: ARG002
        return 200, {"items": [{"name": "smollm2:135m-plus", "status": self.status}]}
