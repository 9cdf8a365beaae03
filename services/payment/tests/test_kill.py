"""kill -9 between any two writes: all ends as if nothing had happened, with nobody's help."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import httpx2
from alone import Alone
from payment_service import OrderStub, event, payment

from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.waiting import until

MakeSandbox = Callable[..., RazorpaySandbox]

KILLS = 3
CALLERS = 4
ORDERS = 24


def test_what_was_stored_is_handed_over_after_a_kill(
    mongo: Mongo, order: OrderStub, make_razorpay: MakeSandbox
) -> None:
    order.outcome = lambda _fact: None
    paid = [payment() for _ in range(20)]
    with Alone().calls(mongo, order.url, make_razorpay().url) as alone:
        with alone.callers() as service:
            for one in paid:
                service.taken(event("payment.captured", payment=one))
        alone.kill()
        order.outcome = lambda _fact: "applied"
        alone.start()
        until(lambda: set(order.ids()) == {one["id"] for one in paid})


class Buyer:
    """Makes orders, pays them and takes part of the money back; repeats what was not answered."""

    def __init__(self, alone: Alone, sandbox: RazorpaySandbox, numbers: range) -> None:
        self._alone = alone
        self._sandbox = sandbox
        self._numbers = numbers
        self.bought: dict[str, str] = {}

    def buy(self) -> None:
        """Buy everything."""
        for number in self._numbers:
            order_id = self._insist(f"/orders {number}", lambda n=number: self._order(n))
            self._sandbox.pay(order_id)
            (paid,) = self._sandbox.payments(order_id)
            self._insist(f"/refunds {number}", lambda n=number, p=paid["id"]: self._refund(n, p))
            self.bought[f"ord_{number}"] = order_id

    def _order(self, number: int) -> str | None:
        with self._alone.callers() as service:
            answer = service.create(f"ord_{number}")
        return answer.json()["razorpay_order_id"] if answer.status_code == 200 else None

    def _refund(self, number: int, payment_id: str) -> str | None:
        with self._alone.callers() as service:
            answer = service.refund(payment_id, 10000, f"rfd_{number:010}")
        return answer.json()["status"] if answer.status_code == 200 else None

    def _insist(self, what: str, call: Callable[[], str | None]) -> str:
        def answered() -> str | None:
            with suppress(httpx2.TransportError):
                return call()
            return None

        return until(answered, what)


def test_orders_facts_and_refunds_converge_under_kills(
    mongo: Mongo, order: OrderStub, make_razorpay: MakeSandbox
) -> None:
    alone = Alone()
    sandbox = make_razorpay(webhook_url=alone.webhook_url)
    with alone.calls(mongo, order.url, sandbox.url):
        buyers = [Buyer(alone, sandbox, range(first, ORDERS, CALLERS)) for first in range(CALLERS)]
        threads = [threading.Thread(target=one.buy) for one in buyers]
        for one in threads:
            one.start()
        for kill in range(1, KILLS + 1):
            enough = ORDERS * kill // (KILLS + 1)
            until(lambda enough=enough: sum(len(one.bought) for one in buyers) >= enough)
            alone.kill()
            alone.start()
        for one in threads:
            one.join()
        made = sandbox.get("/v1/orders?count=100")["items"]
        bought = {receipt: o for one in buyers for receipt, o in one.bought.items()}
        assert {one["receipt"]: one["id"] for one in made} == bought
        assert len(made) == ORDERS
        payments = sandbox.get("/v1/payments?count=100")["items"]
        until(lambda: {one["id"] for one in payments} <= set(order.ids()), "captures")
        until(lambda: len(sandbox.get("/v1/refunds?count=100")["items"]) == ORDERS, "refunds made")
        refunds = sandbox.get("/v1/refunds?count=100")["items"]
        assert {one["receipt"] for one in refunds} == {f"rfd_{n:010}" for n in range(ORDERS)}
        until(lambda: {one["id"] for one in refunds} <= set(order.ids()), "refunds told")
