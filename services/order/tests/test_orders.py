"""Buying: plans, orders, payments, tokens, as a browser and the payment service see it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from order_beside import AskStub, PaymentStub, TokenStub
from order_buyer import IN_KARNATAKA, Buyer

from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo

NOBODYS = "ord_" + "0" * 32


def test_plans_say_what_is_sold_and_why_not(service: httpx2.Client, ask: AskStub) -> None:
    answer = service.get("/order/plans").json()
    month, year = answer["items"]
    assert (month["id"], month["price"], month["days"]) == ("premium-30", 9900, 30)
    assert month["available"] is year["available"] is True
    assert "reason" not in month
    ask.status = "not_installed"
    (month, _) = service.get("/order/plans").json()["items"]
    assert (month["available"], "smollm2:135m-plus" in month["reason"]) == (False, True)
    ask.away = True
    (month, _) = service.get("/order/plans").json()["items"]
    assert (month["available"], "can't be found out" in month["reason"]) == (False, True)


def test_a_plan_without_a_model_is_not_sold(buyer: Buyer, ask: AskStub) -> None:
    verification = buyer.verified()
    ask.status = "down"
    answer = buyer.create(verification)
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_unavailable")


def test_from_a_proved_address_to_the_token(buyer: Buyer, token: TokenStub) -> None:
    order = buyer.ordered()
    assert order["price"] == {"total": 9900, "taxable": 9900, "taxes": [], "currency": "INR"}
    assert order["livemode"] is False
    seen = buyer.look(order)
    assert (seen["status"], seen["steps"]["paid"]) == ("awaiting_payment", False)
    assert seen["razorpay"] == order["razorpay"]
    buyer.fact(order)
    paid = buyer.bring(order).json()
    assert paid["status"] == "fulfilled"
    assert paid["token"] == f"tmpods_premium_{order['order_id']}"
    again = buyer.bring(order).json()
    assert (again["status"], "token" in again) == ("fulfilled", False)  # it is shown once
    seen = buyer.look(order)
    assert seen["steps"] == {
        "paid": True,
        "token_issued": True,
        "token_shown": True,
        "invoice": "pending",
    }
    assert "razorpay" not in seen
    assert paid["token"] not in str(seen)
    assert token.told.count(("tokens", order["order_id"])) == 2  # to issue it, and to show it


def test_the_token_again_for_who_proves_the_address_again(
    buyer: Buyer, service: httpx2.Client, inbox: Inbox, payment: PaymentStub
) -> None:
    order = buyer.ordered()
    path = f"/order/{order['order_id']}/token"
    verification = buyer.verified(purpose="token", order_id=order["order_id"])
    early = service.post(path, json={"verification": verification})
    assert (early.status_code, early.json()["code"]) == (409, "token_not_issued")
    assert buyer.tell(buyer.fact(order)).json()["outcome"] == "applied"
    buyer.wait_for(order, "fulfilled")
    given = service.post(path, json={"verification": verification})
    assert given.json()["token"] == f"tmpods_premium_{order['order_id']}"
    # Neither a proof for buying, nor for another order, nor of another address.
    for wrong in (buyer.verified(), buyer.verified(purpose="token", order_id=NOBODYS)):
        refused = service.post(path, json={"verification": wrong})
        assert (refused.status_code, refused.json()["code"]) == (401, "verification_invalid")
    thief = Buyer(service, inbox, payment, "thief@example.test")
    stolen = thief.verified(purpose="token", order_id=order["order_id"])
    assert service.post(path, json={"verification": stolen}).status_code == 404


@pytest.mark.parametrize("change", ["", "x", "ver_", "ver_e30.00", "ver_äöü.x", "signature"])
def test_a_forged_verification_is_refused(buyer: Buyer, change: str) -> None:
    if change == "signature":
        good = buyer.verified()
        change = good[:-1] + ("0" if good[-1] != "0" else "1")
    answer = buyer.create(change)
    assert (answer.status_code, answer.json()["code"]) == (401, "verification_invalid")


def test_the_same_key_gives_the_same_order(buyer: Buyer, payment: PaymentStub) -> None:
    verification = buyer.verified()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: buyer.create(verification, "key-of-a-page"), range(16)))
    assert {answer.status_code for answer in answers} == {201}
    bodies = [answer.json() for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert len(payment.orders) == 1
    other = buyer.create(verification, "key-of-a-page", plan="premium-365")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_a_known_key_of_another_address_is_worth_nothing(
    buyer: Buyer, service: httpx2.Client, inbox: Inbox, payment: PaymentStub
) -> None:
    order = buyer.create(buyer.verified(), "key-of-a-page").json()
    thief = Buyer(service, inbox, payment, "thief@example.test")
    other = thief.create(thief.verified(), "key-of-a-page").json()
    assert other["order_id"] != order["order_id"]


def test_five_open_orders_at_most(buyer: Buyer) -> None:
    verification = buyer.verified()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: buyer.create(verification), range(12)))
    made = [answer.json() for answer in answers if answer.status_code == 201]
    assert len(made) == 5
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 201}
    assert refused == {"too_many_open_orders"}
    buyer.tell(buyer.fact(made[0]))
    assert buyer.create(verification).status_code == 201


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"plan": "none"}, "plan"),
        ({"buyer": {**IN_KARNATAKA, "name": " "}}, "buyer.name"),
        ({"buyer": {**IN_KARNATAKA, "name": "x" * 121}}, "buyer.name"),
        ({"buyer": {**IN_KARNATAKA, "name": "a\u202eb"}}, "buyer.name"),
        ({"buyer": {**IN_KARNATAKA, "country": "India"}}, "buyer.country"),
        ({"buyer": {**IN_KARNATAKA, "state": None}}, "buyer.state"),
        ({"buyer": {**IN_KARNATAKA, "state": "25"}}, "buyer.state"),
        ({"buyer": {**IN_KARNATAKA, "gstin": "29ABCDE1234F1Z0"}}, "buyer.gstin"),
        ({"buyer": {"name": "A", "country": "DE", "state": "29"}}, "buyer.state"),
        ({"price": 1}, "price"),
        ({"status": "paid"}, "status"),
        ({"buyer": {**IN_KARNATAKA, "livemode": True}}, "buyer.livemode"),
    ],
)
def test_a_wrong_order_names_the_field(buyer: Buyer, fields: Any, field: str) -> None:
    answer = buyer.create(buyer.verified(), **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert field in [one["field"] for one in answer.json()["errors"]]


def test_an_idempotency_key_is_wanted(service: httpx2.Client, buyer: Buyer) -> None:
    body = {"verification": buyer.verified(), "plan": "premium-30", "buyer": IN_KARNATAKA}
    for headers in ({}, {"Idempotency-Key": "short"}, {"Idempotency-Key": "with blanks in it"}):
        answer = service.post("/create-order", json=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "header.idempotency-key"


def test_an_order_is_shown_to_who_knows_its_secret_alone(
    buyer: Buyer, service: httpx2.Client
) -> None:
    order = buyer.ordered()
    other = buyer.ordered()
    for secret in ("x", other["order_secret"], order["order_secret"][:-1]):
        headers = {"Authorization": f"Bearer {secret}"}
        answer = service.get(f"/order/{order['order_id']}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")
        refused = buyer.bring(order, order_secret=secret)
        assert (refused.status_code, refused.json()["code"]) == (404, "order_unknown")
    headers = {"Authorization": f"Bearer {order['order_secret']}"}
    assert service.get(f"/order/{NOBODYS}", headers=headers).status_code == 404
    assert service.get(f"/order/{order['order_id']}").status_code == 404


def test_what_a_browser_may_not_bring(buyer: Buyer, token: TokenStub) -> None:
    order, other = buyer.ordered(), buyer.ordered()
    buyer.fact(order)
    buyer.fact(other, "pay_other")
    refused = [
        (buyer.bring(order, razorpay_signature="forged"), 403, "signature_invalid"),
        (
            buyer.bring(order, razorpay_order_id=other["razorpay"]["order_id"]),
            422,
            "order_differs",
        ),
        (buyer.bring(order, "pay_other"), 422, "order_differs"),
    ]
    for answer, status, code in refused:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    buyer.fact(order, "pay_less", amount=100)
    buyer.fact(order, "pay_euro", currency="EUR")
    buyer.fact(order, "pay_live", livemode=True)
    buyer.fact(order, "pay_not_yet", status="authorized")
    for name in ("pay_less", "pay_euro", "pay_not_yet"):
        assert buyer.bring(order, name).json() == {"status": "awaiting_payment"}
    assert buyer.bring(order, "pay_live").status_code == 422
    assert token.told == []


def test_order_comes_first_and_razorpay_afterwards(
    buyer: Buyer, payment: PaymentStub, mongo: Mongo
) -> None:
    verification = buyer.verified()
    payment.away = True
    answer = buyer.create(verification, "key-of-a-page")
    assert (answer.status_code, answer.json()["code"]) == (503, "razorpay_unavailable")
    payment.away = False
    assert buyer.create(verification, "key-of-a-page").status_code == 201
    assert len(payment.orders) == 1


def test_the_token_service_away_costs_nobody_a_token(buyer: Buyer, token: TokenStub) -> None:
    order = buyer.ordered()
    buyer.fact(order)
    token.away = True
    assert buyer.bring(order).json() == {"status": "paid"}
    token.away = False
    buyer.wait_for(order, "fulfilled")
    assert buyer.bring(order).json()["token"]


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_mongo_away_is_named_and_nothing_is_taken(buyer: Buyer, mongo: Mongo, fault: str) -> None:
    order = buyer.ordered()
    fact = buyer.fact(order)
    verification = buyer.verified()
    getattr(mongo, fault)()
    for answer in (buyer.tell(fact), buyer.bring(order), buyer.create(verification)):
        assert (answer.status_code, answer.json()["code"]) == (503, "order_store_unavailable")
    mongo.resume()
    mongo.start()
    while buyer.tell(fact).status_code != 200:
        pass
    buyer.wait_for(order, "fulfilled")


def test_in_production_test_orders_are_nothing(
    make_order_service: Callable[..., httpx2.Client],
    inbox: Inbox,
    payment: PaymentStub,
    token: TokenStub,
) -> None:
    demo = Buyer(make_order_service(mode="demo"), inbox, payment)
    order = demo.ordered()
    fact = demo.fact(order)
    production = make_order_service(mode="production", mail_from="shop@example.com")
    left = Buyer(production, inbox, payment)
    assert left.tell(fact).json()["outcome"] == "unmatched"
    assert left.bring(order).status_code == 404
    secret = {"Authorization": f"Bearer {order['order_secret']}"}
    assert production.get(f"/order/{order['order_id']}", headers=secret).status_code == 404
    made = left.create(demo.verified())  # both have the same keys here
    assert (made.status_code, made.json()["code"]) == (503, "test_payments")
    payment.livemode = True
    assert left.create(demo.verified()).json()["livemode"] is True
    assert token.told == []
