"""Facts by the thousand: what was paid is delivered once, and everything else goes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from order_beside import EDGE_KEYS, PaymentStub, TokenStub
from order_buyer import Buyer

from tracemypods.contracts.payments import FACTS_PATH
from tracemypods.local.testing.mail import Inbox


def many_orders(buyer: Buyer, payment: PaymentStub, inbox: Inbox, count: int) -> list[Any]:
    """Orders of several people, who each have as many as one may have open."""
    orders: list[Any] = []
    for person in range(-(-count // 5)):
        one = Buyer(buyer.service, inbox, payment, f"person{person}@example.test")
        verification = one.verified()
        orders += [one.create(verification).json() for _ in range(min(5, count - len(orders)))]
    return orders


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_every_webhook_three_times_and_callbacks_at_once(
    buyer: Buyer, payment: PaymentStub, inbox: Inbox, token: TokenStub, count: int
) -> None:
    orders = many_orders(buyer, payment, inbox, count)
    calls: list[Callable[[], httpx2.Response]] = []
    for number, order in enumerate(orders):
        captured = buyer.fact(order, f"pay_{number}")
        for status in ("authorized", "captured"):
            fact = {**captured, "status": status}
            calls += [lambda fact=fact: buyer.tell(fact)] * 3
        calls += [lambda order=order, number=number: buyer.bring(order, f"pay_{number}")] * 2
    random.shuffle(calls)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda call: call(), calls))
    assert {answer.status_code for answer in answers} == {200}
    shown = [answer.json()["token"] for answer in answers if "token" in answer.json()]
    for order in orders:
        buyer.wait_for(order, "fulfilled")
    assert len(shown) == len(set(shown)) == count
    assert token.states == {order["order_id"]: "active" for order in orders}
    assert sum(order["price"]["total"] for order in orders) == 9900 * count


def test_paid_twice_the_second_goes_back(
    buyer: Buyer, payment: PaymentStub, token: TokenStub
) -> None:
    order = buyer.ordered()
    facts = [buyer.fact(order, f"pay_{number}") for number in range(3)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(buyer.tell, facts * 4))
    buyer.wait_for(order, "fulfilled")
    while len(payment.refunds) < 2:
        pass
    assert {one["amount"] for one in payment.refunds.values()} == {9900}
    assert len({one["payment_id"] for one in payment.refunds.values()}) == 2
    assert token.states == {order["order_id"]: "active"}


def test_a_wrong_amount_goes_back_and_gets_nothing(
    buyer: Buyer, payment: PaymentStub, token: TokenStub
) -> None:
    order = buyer.ordered()
    buyer.tell(buyer.fact(order, amount=9899))
    while not payment.refunds:
        pass
    assert [one["amount"] for one in payment.refunds.values()] == [9899]
    assert buyer.look(order)["status"] == "awaiting_payment"
    assert token.told == []


def test_a_refund_that_razorpay_refuses_is_an_operators(
    buyer: Buyer,
    payment: PaymentStub,
    operator_key: Callable[..., str],
) -> None:
    payment.refuse_refunds = True
    order = buyer.ordered()
    buyer.tell(buyer.fact(order, amount=9899))
    headers = {"Authorization": f"Bearer {operator_key('orders:read')}"}
    seen: dict[str, Any] = {"exceptions": []}
    while len(seen["exceptions"]) < 2:
        seen = buyer.service.get(f"/api/orders/{order['order_id']}", headers=headers).json()
    assert seen["exceptions"] == ["amount_mismatch pay_1", "refund_refused back-pay_1-0"]
    (refund,) = seen["order"]["refunds"].values()
    assert "BAD_REQUEST_ERROR" in refund["problem"]


def test_facts_of_nobodys_order_are_unmatched(buyer: Buyer) -> None:
    order = buyer.ordered()
    fact = buyer.fact(order)
    for changed in (
        {"razorpay_order_id": "order_elsewhere"},
        {"razorpay_order_id": None},
        {"livemode": True},
    ):
        assert buyer.tell({**fact, **changed}).json()["outcome"] == "unmatched"
    assert buyer.tell(fact).json() == {"outcome": "applied", "order_id": order["order_id"]}
    assert buyer.tell(fact).json()["outcome"] == "known"


def test_ten_thousand_failed_attempts_and_then_a_capture(buyer: Buyer) -> None:
    order = buyer.ordered()
    for number in range(100):  # ten thousand in test_machine.py: that they stay bounded
        buyer.tell(buyer.fact(order, f"pay_f{number}", status="failed"))
    assert len(buyer.look(order)["attempts"]) == 20
    buyer.tell(buyer.fact(order, "pay_1"))
    buyer.wait_for(order, "fulfilled")


def test_disputes_and_refunds_reach_the_token(
    buyer: Buyer, payment: PaymentStub, token: TokenStub
) -> None:
    order = buyer.ordered()
    buyer.tell(buyer.fact(order))
    buyer.wait_for(order, "fulfilled")
    dispute = {
        "kind": "dispute",
        "id": "disp_1",
        "payment_id": "pay_1",
        "razorpay_order_id": order["razorpay"]["order_id"],
        "status": "open",
        "amount": 9900,
        "currency": "INR",
        "created_at": 1,
        "livemode": False,
    }
    for status, state in (("open", "suspended"), ("won", "active")):
        assert buyer.tell({**dispute, "status": status}).json()["outcome"] == "applied"
        while token.states[order["order_id"]] != state:
            pass
    buyer.tell({**dispute, "id": "disp_2", "status": "lost"})
    while token.states[order["order_id"]] != "revoked":
        pass
    assert buyer.look(order)["status"] == "dispute_lost"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer " + "k" * 40}])
def test_only_payment_tells_facts(
    buyer: Buyer, service: httpx2.Client, headers: dict[str, str]
) -> None:
    fact = buyer.fact(buyer.ordered())
    answer = service.post(FACTS_PATH, json={"source": "webhook", "fact": fact}, headers=headers)
    assert answer.status_code == (403 if headers else 401)
    assert EDGE_KEYS


def test_an_operator_gives_money_back(
    buyer: Buyer,
    service: httpx2.Client,
    payment: PaymentStub,
    token: TokenStub,
    operator_key: Callable[..., str],
) -> None:
    order = buyer.ordered()
    path = f"/api/orders/{order['order_id']}/refunds"
    key = {"Authorization": f"Bearer {operator_key('orders:refund')}"}

    def give(idempotency_key: str, **body: Any) -> httpx2.Response:
        headers = {**key, "Idempotency-Key": idempotency_key}
        return service.post(path, json=body, headers=headers)

    early = give("refund-early")
    assert (early.status_code, early.json()["code"]) == (409, "not_refundable")
    buyer.tell(buyer.fact(order))
    buyer.wait_for(order, "fulfilled")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: give("refund-part-1", amount=4000), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert [one["amount"] for one in payment.refunds.values()] == [4000]
    assert buyer.look(order)["status"] == "partially_refunded"
    assert token.states[order["order_id"]] == "active"
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda n: give(f"refund-many-{n}", amount=1000), range(8)))
    assert sorted(answer.status_code for answer in parts) == [202] * 5 + [409] * 3
    assert give("refund-too-much", amount=1000).status_code == 409
    rest = give("refund-rest")
    assert (rest.status_code, rest.json()["amount"]) == (202, 900)
    buyer.wait_for(order, "refunded")
    while token.states[order["order_id"]] != "revoked":
        pass
    assert sum(one["amount"] for one in payment.refunds.values()) == 9900
    assert give("refund-after", amount=1).status_code == 409
    for wrong in ({"amount": 0}, {"amount": 1.5}, {"amount": "1"}, {"all": True}):
        assert give("refund-wrong", **wrong).status_code == 422


def test_operators_list_orders_by_page(
    buyer: Buyer, service: httpx2.Client, operator_key: Callable[..., str]
) -> None:
    made = [buyer.ordered()["order_id"] for _ in range(3)]
    key = {"Authorization": f"Bearer {operator_key('orders:read')}"}
    first = service.get("/api/orders", params={"limit": 2}, headers=key).json()
    rest = service.get("/api/orders", params={"cursor": first["cursor"]}, headers=key).json()
    assert [one["order_id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert service.get("/api/orders").status_code == 401
    other = {"Authorization": f"Bearer {operator_key('orders:read')}"}
    refund = service.post(
        f"/api/orders/{made[0]}/refunds",
        json={},
        headers={**other, "Idempotency-Key": "refund-key-1"},
    )
    assert refund.status_code == 403
