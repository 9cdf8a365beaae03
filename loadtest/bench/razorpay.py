"""Razorpay for benches: answers at once, so that what is measured is never Razorpay's pace.

It knows the amount of each order, and that each was paid by one payment, whose id follows from the
order's. What a browser and a webhook would bring is made here as well. The server runs in a process
of its own: `python -m loadtest.bench.razorpay` prints the URL.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from typing import Any

from aiohttp import web

from loadtest.bench import own_process
from tracemypods.local.sandboxes.razorpay.ids import ACCOUNT, new_id
from tracemypods.local.sandboxes.razorpay.signatures import payment_signature, sign

KEY_ID = "rzp_test_SandboxOfBenches"
KEY_SECRET = "key-secret-of-the-sandbox-of-benches"  # noqa: S105 - opens nothing
WEBHOOK_SECRET = "webhook-secret-of-the-sandbox-of-benches"  # noqa: S105 - opens nothing


class Razorpay:
    """The server, until `stack` ends it. `environment` has a fleet use it."""

    def __init__(self, stack: ExitStack) -> None:
        self.url = own_process.serve(stack, __name__)
        self.environment = {
            "TRACEMYPODS_RAZORPAY_URL": self.url,
            "TRACEMYPODS_RAZORPAY_KEY_ID": KEY_ID,
            "TRACEMYPODS_RAZORPAY_KEY_SECRET": KEY_SECRET,
            "TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }


def payment(order_id: str, amount: int) -> dict[str, Any]:
    """The payment of an order, with every field that Razorpay's have."""
    return {
        "id": f"pay_{order_id.removeprefix('order_')}",
        "entity": "payment",
        "amount": amount,
        "currency": "INR",
        "status": "captured",
        "order_id": order_id,
        "invoice_id": None,
        "international": False,
        "method": "upi",
        "amount_refunded": 0,
        "refund_status": None,
        "captured": True,
        "description": "Premium, 30 days",
        "card_id": None,
        "bank": None,
        "wallet": None,
        "vpa": "asha@upi",
        "email": "asha@example.test",
        "contact": "+919000090000",
        "notes": [],
        "fee": 234,
        "tax": 36,
        "error_code": None,
        "error_description": None,
        "error_source": None,
        "error_step": None,
        "error_reason": None,
        "acquirer_data": {"rrn": "023344556677", "upi_transaction_id": "A0B1C2D3E4F5"},
        "created_at": int(time.time()),
        "upi": {"vpa": "asha@upi"},
    }


def webhook(order_id: str, amount: int) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the webhook `payment.captured` of an order."""
    body = json.dumps(
        {
            "entity": "event",
            "account_id": ACCOUNT,
            "event": "payment.captured",
            "contains": ["payment"],
            "payload": {"payment": {"entity": payment(order_id, amount)}},
            "created_at": int(time.time()),
        },
        separators=(",", ":"),
    ).encode()
    return body, {
        "Content-Type": "application/json",
        "User-Agent": "Razorpay-Webhook/v1",
        "X-Razorpay-Signature": sign(body, WEBHOOK_SECRET),
        "X-Razorpay-Event-Id": new_id(),
    }


def handed_to_page(order_id: str, amount: int) -> dict[str, str]:
    """What Razorpay's checkout gives a page whose order was paid."""
    payment_id = payment(order_id, amount)["id"]
    return {
        "razorpay_order_id": order_id,
        "razorpay_payment_id": payment_id,
        "razorpay_signature": payment_signature(order_id, payment_id, KEY_SECRET),
    }


class _Server:
    def __init__(self) -> None:
        self._amounts: dict[str, int] = {}

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/orders", self._create)
        application.router.add_get("/v1/orders/{id}/payments", self._payments_of_order)
        application.router.add_get("/v1/payments/{id}", self._payment)
        for kind in ("orders", "payments", "refunds", "disputes"):
            application.router.add_get(f"/v1/{kind}", self._nothing)
        return application

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        order_id = new_id("order")
        self._amounts[order_id] = asked["amount"]
        return web.json_response(
            {
                "id": order_id,
                "entity": "order",
                "amount": asked["amount"],
                "amount_paid": 0,
                "amount_due": asked["amount"],
                "currency": asked["currency"],
                "receipt": asked["receipt"],
                "offer_id": None,
                "status": "created",
                "attempts": 0,
                "notes": [],
                "created_at": int(time.time()),
            }
        )

    async def _payment(self, request: web.Request) -> web.Response:
        order_id = f"order_{request.match_info['id'].removeprefix('pay_')}"
        return web.json_response(payment(order_id, self._amounts[order_id]))

    async def _payments_of_order(self, request: web.Request) -> web.Response:
        order_id = request.match_info["id"]
        return _collection([payment(order_id, self._amounts[order_id])])

    async def _nothing(self, _request: web.Request) -> web.Response:
        return _collection([])


def _collection(items: list[dict[str, Any]]) -> web.Response:
    return web.json_response({"entity": "collection", "count": len(items), "items": items})


def main() -> None:
    """Serve until told to stop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        web.run_app(_Server().application(), sock=listening, print=None)


if __name__ == "__main__":
    main()
