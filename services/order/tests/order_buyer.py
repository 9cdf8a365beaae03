"""Somebody who buys, over HTTP, and what Razorpay says of that."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
from order_beside import PAYMENT_KEY, PaymentStub

from tracemypods.contracts.payments import FACTS_PATH
from tracemypods.local.testing.mail import Inbox, codes

EMAIL = "asha@example.test"
IN_KARNATAKA = {"name": "Asha Rao", "country": "IN", "state": "29"}


class Buyer:
    """Buys the plan `premium-30`. `address` is its own."""

    def __init__(
        self, service: httpx2.Client, inbox: Inbox, payment: PaymentStub, address: str = EMAIL
    ) -> None:
        self.service = service
        self.address = address
        self._inbox = inbox
        self._payment = payment

    def send(self, **fields: Any) -> httpx2.Response:
        return self.service.post("/send-otp", json={"email": self.address, **fields})

    def code(self, mails: int = 1) -> str:
        """The newest code, once so many have come."""
        found: list[str] = []
        while len(found) < mails:
            found = codes(self._inbox.messages(self.address))
        return found[0]

    def say(self, challenge_id: str, code: str) -> httpx2.Response:
        body = {"challenge_id": challenge_id, "code": code}
        return self.service.post("/verify-otp", json=body)

    def verified(self, **fields: Any) -> str:
        """A verification of the address."""
        before = len(codes(self._inbox.messages(self.address)))
        challenge = self.send(**fields).json()["challenge_id"]
        answer = self.say(challenge, self.code(before + 1))
        assert answer.status_code == 200, answer.text
        return answer.json()["verification"]

    def create(self, verification: str, key: str | None = None, **fields: Any) -> httpx2.Response:
        body = {
            "verification": verification,
            "plan": "premium-30",
            "buyer": IN_KARNATAKA,
            **fields,
        }
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.service.post("/create-order", json=body, headers=headers)

    def ordered(self) -> dict[str, Any]:
        """An order that can be paid."""
        answer = self.create(self.verified())
        assert answer.status_code == 201, answer.text
        return answer.json()

    def fact(self, order: dict[str, Any], name: str = "pay_1", **fields: Any) -> dict[str, Any]:
        """A payment of an order, as Razorpay shows it; checks of it find that."""
        fact: dict[str, Any] = {
            "kind": "payment",
            "id": name,
            "razorpay_order_id": order["razorpay"]["order_id"],
            "status": "captured",
            "amount": order["price"]["total"],
            "currency": "INR",
            "created_at": 1,
            "livemode": False,
            **fields,
        }
        self._payment.known[name] = fact
        return fact

    def tell(self, fact: dict[str, Any], source: str = "webhook") -> httpx2.Response:
        """Payment hands over a fact."""
        return self.service.post(
            FACTS_PATH,
            json={"source": source, "fact": fact},
            headers={"Authorization": f"Bearer {PAYMENT_KEY.get_secret_value()}"},
        )

    def bring(self, order: dict[str, Any], name: str = "pay_1", **fields: Any) -> httpx2.Response:
        """The page brings back what Razorpay's checkout gave it."""
        body = {
            "order_id": order["order_id"],
            "order_secret": order["order_secret"],
            "razorpay_order_id": order["razorpay"]["order_id"],
            "razorpay_payment_id": name,
            "razorpay_signature": "good",
            **fields,
        }
        return self.service.post("/verify-payment", json=body)

    def look(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order as its buyer sees it."""
        answer = self.service.get(
            f"/order/{order['order_id']}",
            headers={"Authorization": f"Bearer {order['order_secret']}"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_for(self, order: dict[str, Any], status: str) -> dict[str, Any]:
        """The order once it is in a state."""
        while True:
            seen = self.look(order)
            if seen["status"] == status:
                return seen
