"""What no webhook told is found by asking: about single orders, and about everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from payment_service import Operator, OrderStub, Service, payment

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.http_stub import Asked, HttpStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.waiting import until
from tracemypods.payment.razorpay.entities import PaymentEntity
from tracemypods.payment.watching import FAILED_SHOWN, worth_telling

QUICK = {"first_look_seconds": 0.2}


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def as_operator(operator_key: Callable[..., str]) -> Iterator[Callable[[Service], Operator]]:
    key = operator_key("payments:read", "payments:retry")
    clients = []

    def make(service: Service) -> Operator:
        clients.append(caller(service.url, key))
        return Operator(clients[-1])

    yield make
    for one in clients:
        one.close()


def watched(mongo: Mongo, receipt: str = "ord_1") -> dict[str, Any]:
    with mongo.client() as client:
        return client[mongo.database]["payment_orders"].find_one({"_id": receipt}) or {}


def statuses(order: OrderStub) -> list[str]:
    return [one["fact"]["status"] for one in order.facts]


def test_a_payment_whose_webhooks_were_lost_is_found(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox, order: OrderStub, mongo: Mongo
) -> None:
    service = make_service(**QUICK)
    order_id = service.created()
    sandbox.pay(order_id, faults=["lose", "closed_tab"])
    until(lambda: statuses(order) == ["captured"])
    assert order.facts[0]["source"] == "reconciler"
    assert order.facts[0]["fact"]["razorpay_order_id"] == order_id
    until(lambda: watched(mongo).get("closed_at"))
    assert len(order.facts) == 1


def test_a_late_authorisation_is_found(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox, order: OrderStub
) -> None:
    service = make_service(**QUICK)
    order_id = service.created()
    sandbox.pay(order_id, "failure", faults=["lose"])
    until(lambda: statuses(order) == ["failed"])
    sandbox.command(f"/payments/{sandbox.payments(order_id)[0]['id']}/authorise")
    until(lambda: statuses(order) == ["failed", "captured"])


def test_gaps_grow_for_three_days(
    make_service: Callable[..., Service],
    sandbox: RazorpaySandbox,
    order: OrderStub,
    mongo: Mongo,
    clock: MovableClock,
) -> None:
    begun = clock()
    service = make_service(clock)
    service.created()
    looks: list[float] = []
    while not (document := watched(mongo)).get("closed_at"):
        due_at = datetime.fromtimestamp(document["due_at"] / 1000, UTC)
        looks.append((due_at - begun) / timedelta(minutes=1))
        clock.now = due_at
        until(lambda seen=document["due_at"]: watched(mongo).get("due_at") != seen)
        until(lambda at=due_at: _settled(mongo, at))
    assert looks[0] == 2
    assert len(looks) < 20
    assert looks[-1] == 3 * 24 * 60
    gaps = [later - earlier for earlier, later in pairwise(looks[:-1])]
    for earlier, later in pairwise(gaps):
        assert later > earlier * 1.5 or later > 600
    assert order.facts == []


def _settled(mongo: Mongo, now: datetime) -> bool:
    """Whether nobody is looking: what is due next is not the end of a lease."""
    due_at = watched(mongo).get("due_at")
    return due_at is None or due_at > now.timestamp() * 1000 + 60_000


def test_razorpay_away_is_asked_again_and_does_not_count(
    make_service: Callable[..., Service], sandbox: RazorpaySandbox, order: OrderStub, mongo: Mongo
) -> None:
    service = make_service(**QUICK)
    order_id = service.created()
    sandbox.pay(order_id, faults=["lose"])
    sandbox.command("/faults", {"fault": "http_500", "calls": 12, "method": "GET"})
    until(lambda: statuses(order) == ["captured"])
    assert watched(mongo)["attempts"] <= 2


def test_an_order_that_razorpay_does_not_know_is_let_go(
    make_service: Callable[..., Service], mongo: Mongo
) -> None:
    """As when a sandbox has forgotten everything."""
    unknown = {"code": "BAD_REQUEST_ERROR", "description": "The id provided does not exist"}

    def respond(asked: Asked) -> tuple[int, Any]:
        if asked.method == "POST":
            return 200, {**asked.json, "id": "order_1", "created_at": 1_900_000_000}
        return 400, {"error": unknown}

    with HttpStub() as stub:
        stub.respond = respond
        service = make_service(razorpay_url=stub.url, **QUICK, watch_seconds=1)
        service.created()
        until(lambda: watched(mongo).get("closed_at"))


def test_money_is_told_first_and_failures_only_in_part() -> None:
    failed = [payment("failed", created_at=number) for number in range(10_000)]
    money = [payment("captured", created_at=5), payment("authorized", created_at=1)]
    entities = [PaymentEntity.model_validate(one) for one in failed + money]
    told = worth_telling(entities)
    assert [one.status for one in told[:3]] == ["captured", "authorized", "failed"]
    assert [one.created_at for one in told[2:]] == list(range(9_999, 9_999 - FAILED_SHOWN, -1))


def test_an_operator_asks_about_one_order(
    make_service: Callable[..., Service],
    sandbox: RazorpaySandbox,
    order: OrderStub,
    as_operator: Callable[[Service], Operator],
) -> None:
    service = make_service()
    operator = as_operator(service)
    sandbox.pay(service.created(), faults=["lose"])
    answer = operator.client.post("/api/payments/reconcile", json={"receipt": "ord_1"})
    assert answer.status_code == 202
    assert answer.json() == {"payments": 1, "new_facts": 1, "comparison": None}
    until(lambda: statuses(order) == ["captured"])
    answer = operator.client.post("/api/payments/reconcile", json={"receipt": "ord_2"})
    assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")


def test_everything_is_compared_once_a_day(
    make_service: Callable[..., Service],
    make_razorpay: Callable[..., RazorpaySandbox],
    order: OrderStub,
    as_operator: Callable[[Service], Operator],
) -> None:
    """Also what was done on Razorpay's dashboard, and on orders that nobody watches."""
    clock = MovableClock(datetime.now(UTC))
    sandbox = make_razorpay(clock=clock)
    service = make_service(clock, razorpay_url=sandbox.url)
    operator = as_operator(service)
    until(lambda: operator.get("/reconcile")["next_at"])
    ids = [sandbox.order(49900, receipt=f"ord_{number}")["id"] for number in range(3)]
    clock.move(days=100)
    paid = [sandbox.pay(one) or {} for one in ids]
    sandbox.pay(sandbox.order(100)["id"], "failure")
    sandbox.command(f"/payments/{paid[0]['razorpay_payment_id']}/refund", {"amount": 5000})
    sandbox.command("/disputes", {"payment_id": paid[1]["razorpay_payment_id"]})
    clock.move(hours=1)
    until(lambda: len(order.facts) == 5)
    until(lambda: operator.get("/reconcile")["finished_at"])
    kinds = [one["fact"]["kind"] for one in order.facts]
    assert sorted(kinds) == ["dispute", "payment", "payment", "payment", "refund"]
    for one in order.facts:
        assert one["source"] == "reconciler"
        assert one["fact"]["razorpay_order_id"] in ids
    assert (
        next(one["fact"] for one in order.facts if one["fact"]["kind"] == "refund")["receipt"]
        is None
    )
    found = operator.get("/reconcile")
    counted = {name: found[name] for name in ("payments", "refunds", "disputes", "new_facts")}
    assert counted == {"payments": 4, "refunds": 1, "disputes": 1, "new_facts": 5}

    clock.move(seconds=1)
    assert operator.client.post("/api/payments/reconcile").status_code == 202
    until(lambda: operator.get("/reconcile")["started_at"] > found["started_at"])
    until(lambda: not operator.get("/reconcile")["running"])
    assert operator.get("/reconcile")["new_facts"] == 0
    assert len(order.facts) == 5


def test_pages_are_read_to_their_end(
    make_service: Callable[..., Service],
    make_razorpay: Callable[..., RazorpaySandbox],
    order: OrderStub,
    as_operator: Callable[[Service], Operator],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracemypods.payment.razorpay.client.PAGE", 5)
    clock = MovableClock(datetime.now(UTC))
    sandbox = make_razorpay(clock=clock)
    for number in range(12):
        clock.move(hours=1)
        sandbox.pay(sandbox.order(49900, receipt=f"ord_{number}")["id"])
    operator = as_operator(make_service(clock, razorpay_url=sandbox.url))
    until(lambda: operator.get("/reconcile")["next_at"])
    clock.move(days=30)
    until(lambda: len(set(order.ids())) == 12)


def test_what_had_no_order_is_offered_again(
    make_service: Callable[..., Service],
    make_razorpay: Callable[..., RazorpaySandbox],
    order: OrderStub,
    as_operator: Callable[[Service], Operator],
) -> None:
    clock = MovableClock(datetime.now(UTC))
    sandbox = make_razorpay(clock=clock)
    service = make_service(clock, razorpay_url=sandbox.url)
    operator = as_operator(service)
    until(lambda: operator.get("/reconcile")["next_at"])
    order.outcome = lambda _fact: "unmatched"
    sandbox.pay(sandbox.order(49900)["id"])
    clock.move(hours=1)
    until(lambda: operator.states() == ["unmatched"])
    order.outcome = lambda _fact: "applied"
    until(lambda: operator.get("/reconcile")["finished_at"])
    clock.move(days=1)
    until(lambda: operator.states() == ["done"])


def test_one_replica_compares(
    make_service: Callable[..., Service], mongo: Mongo, clock: MovableClock
) -> None:
    with HttpStub() as stub:
        stub.answer = (200, {"items": []})
        for _ in range(3):
            make_service(clock, razorpay_url=stub.url, comparison_days=1)
        until(lambda: _comparison(mongo).get("due_at"))
        clock.move(hours=1)
        until(lambda: _comparison(mongo).get("finished_at"))
        paths = [one.path.partition("?")[0] for one in stub.requests]
    assert sorted(paths) == ["/v1/disputes", "/v1/payments", "/v1/refunds"]


def _comparison(mongo: Mongo) -> dict[str, Any]:
    with mongo.client() as client:
        return client[mongo.database]["payment_comparisons"].find_one({}) or {}
