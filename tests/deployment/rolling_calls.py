"""What is asked of each service while its processes are replaced.

All of it is real work, but bodies matter most: whoever passes on a request that has one sends it
once only, whatever becomes of the connection, so a careless end of a process shows there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import httpx2
from rolling_load import Call

from tracemypods.contracts.vectors import KINDS, collection
from tracemypods.local.fleet import Fleet

EVENT = {"entity": "event", "event": "order.paid", "payload": {}}
QUESTION = {"prompt": "Say hello.", "max_tokens": 20}
UNKNOWN_ORDER = "ord_" + "0" * 32
DIMENSION = 4
ENTRIES = collection(next(iter(KINDS)), "rolling", DIMENSION)
_NOW = round(time.time() * 1000)
_VECTOR = [0.5] * DIMENSION
_LABELS = dict.fromkeys(ENTRIES.labels, "x")
_POINT = {
    "id": 1,
    "vector": _VECTOR,
    "labels": _LABELS,
    "stored_at": _NOW,
    "expires_at": _NOW + 3_600_000,
}
_PATH = f"/api/vector/{ENTRIES.name}"

INSIDE = {
    "token": [Call("POST", "/internal/tokens/check", json={"hashes": ["0" * 43]})],
    "embedding": [Call("POST", "/api/embedding", json={"input": ["Say hello."]})],
    # Each process has a store of its own here, so that what one was given the other can't find.
    "vector": [Call("POST", f"{_PATH}/upsert", json={"points": [_POINT]})],
}
"""For services that do their work, or the most of it, inside: what ask asks of them."""


def from_outside(fleet: Fleet) -> dict[str, list[Call]]:
    """For each service with public routes, calls to them."""
    issued = httpx2.post(f"{fleet.url('token')}/api/token").json()["token"]
    person, operator = bearer(issued), bearer(fleet.secret("operator_key"))
    fresh = {**person, "Cache-Control": "no-store"}
    key = fleet.secret("razorpay_webhook_secret").encode()
    signature = hmac.new(key, json.dumps(EVENT).encode(), hashlib.sha256).hexdigest()
    signed = {"X-Razorpay-Signature": signature}
    return {
        "token": [
            Call("GET", "/api/token", headers=person),
            Call("POST", "/api/validate-premium-token", json={"token": issued}),
        ],
        "ask": [
            Call("POST", "/api/ask", json=QUESTION, headers=fresh),
            Call("POST", "/api/ask", json={**QUESTION, "stream": True}, headers=fresh, last="done"),
            Call("GET", "/api/models", headers=person),
        ],
        "vector": [Call("GET", "/api/vector-entries", headers=operator)],
        "order": [
            Call("GET", "/order/plans"),
            Call("POST", "/verify-otp", 410, json={"challenge_id": "otp_0", "code": "123456"}),
        ],
        "payment": [
            Call("POST", "/payment/webhook", json=EVENT, headers=signed),
            Call("GET", "/api/payments/inbox", headers=operator),
        ],
        "deliver": [
            Call("GET", "/api/deliveries", headers=operator),
            Call("POST", "/deliver", 404, json={"order_id": UNKNOWN_ORDER}, headers=operator),
        ],
        "frontend": [Call("GET", "/"), Call("GET", "/chat.html")],
    }


def bearer(key: str) -> dict[str, str]:
    """The header that opens a route."""
    return {"Authorization": f"Bearer {key}"}
