"""Facts reach order, whatever is away in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from payment_service import Operator, OrderStub, Service, event, payment

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.waiting import until


@pytest.mark.parametrize("how", [None, 500, 503, 422, "hangs"])
def test_order_away_and_back(
    make_service: Callable[..., Service], order: OrderStub, how: str | int | None
) -> None:
    """Nobody helps: what order did not take is handed over until it does."""
    if how == "hangs":
        service = make_service(order_seconds=0.05)
        slow = iter(range(3))

        def respond(fact: object) -> str:
            time.sleep(0.5 if next(slow, None) is not None else 0)
            return "applied"

        order.outcome = respond
    else:
        service = make_service()
        order.outcome = lambda _fact: how  # pyright: ignore[reportAttributeAccessIssue]
    paid = [payment() for _ in range(10)]
    for one in paid:
        service.taken(event("payment.captured", payment=one))
    if how != "hangs":
        until(lambda: order.refused >= 10)
        assert order.facts == []
        order.outcome = lambda _fact: "applied"
    until(lambda: {one["id"] for one in paid} <= set(order.ids()))


def test_what_order_said_is_shown(service: Service, operator: Operator, order: OrderStub) -> None:
    order.outcome = lambda _fact: 503
    service.taken(event("payment.captured", payment=payment()), event_id="evt_1")
    shown = until(lambda: [one for one in operator.inbox() if one["attempts"]])[0]
    until(lambda: operator.inbox()[0]["last_error"])
    shown = operator.inbox()[0]
    assert shown["last_error"] == "order answered 503 store_unavailable"
    assert (shown["state"], shown["event_id"], shown["source"]) == ("pending", "evt_1", "webhook")
    order.outcome = lambda _fact: "known"
    until(lambda: operator.states() == ["done"])
    shown = operator.inbox()[0]
    assert (shown["outcome"], shown["order_id"]) == ("known", "ord_1")
    assert shown["last_error"] is None


def test_facts_without_an_order_are_shown_until_somebody_acts(
    service: Service, operator: Operator, order: OrderStub
) -> None:
    order.outcome = lambda _fact: "unmatched"
    paid = [payment(order_id=None), payment()]
    for one in paid:
        service.taken(event("payment.captured", payment=one))
    until(lambda: operator.states() == ["unmatched"] * 2)
    first = operator.get("/unmatched", limit=1)
    second = operator.get("/unmatched", limit=1, cursor=first["cursor"])
    assert operator.get("/unmatched", limit=1, cursor=second["cursor"]) == {
        "items": [],
        "cursor": None,
    }
    shown = [page["items"][0]["fact"]["id"] for page in (first, second)]
    assert sorted(shown) == sorted(one["id"] for one in paid)

    order.outcome = lambda _fact: "applied"
    entry = first["items"][0]["id"]
    assert operator.client.post(f"/api/payments/inbox/{entry}/retry").status_code == 200
    until(lambda: operator.get(f"/inbox/{entry}")["state"] == "done")
    assert len(operator.get("/unmatched")["items"]) == 1


def test_what_is_done_goes_after_its_days_and_nothing_else(
    make_service: Callable[..., Service],
    operator_key: Callable[..., str],
    order: OrderStub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracemypods.payment.app.TIDY_SECONDS", 0.05)
    clock = MovableClock(datetime(2030, 1, 1, tzinfo=UTC))
    service = make_service(clock, keep_days=30)
    with caller(service.url, operator_key("payments:read")) as client:
        operator = Operator(client)
        outcomes = {"pay_1": "applied", "pay_2": "unmatched", "pay_3": 503}
        order.outcome = lambda fact: outcomes[fact["id"]]
        for identifier in outcomes:
            service.taken(event("payment.captured", payment=payment(id=identifier)))
        service.taken(b"unreadable")
        until(lambda: sorted(operator.states()) == ["done", "pending", "unmatched", "unreadable"])

        def waits() -> bool:
            """Whether the fact that order does not take waits for its next attempt."""
            (one,) = operator.inbox(state="pending")
            soon = clock().timestamp() * 1000 + 1000
            return bool(one["last_error"]) and one["next_attempt_at"] < soon

        until(waits)
        clock.move(days=29)
        until(lambda: order.refused == 2)
        assert len(operator.inbox()) == 4
        until(waits)
        clock.move(days=2)
        until(lambda: len(operator.inbox()) == 3)
        until(lambda: order.refused == 3)
        until(waits)
        clock.move(days=300)
        until(lambda: order.refused == 4)
        assert sorted(operator.states()) == ["pending", "unmatched", "unreadable"]


@pytest.mark.impatient
def test_mongo_away_while_facts_wait(
    service: Service, operator: Operator, order: OrderStub, mongo: Mongo
) -> None:
    order.outcome = lambda _fact: None
    for _ in range(5):
        service.taken(event("payment.captured", payment=payment()))
    until(lambda: order.refused)
    mongo.kill()
    order.outcome = lambda _fact: "applied"
    answer = service.anonymous.get("/readyz")
    assert (answer.status_code, list(answer.json()["missing"])) == (503, ["mongo"])
    mongo.start()
    # What was under way has a lease, which ends by itself.
    until(lambda: operator.states() == ["done"] * 5, "hand-over after MongoDB's return")
    assert len(set(order.ids())) == 5


def test_two_replicas_hand_over_once(
    make_service: Callable[..., Service], order: OrderStub
) -> None:
    replicas = [make_service(), make_service()]
    paid = [payment() for _ in range(40)]
    for number, one in enumerate(paid):
        replicas[number % 2].taken(event("payment.captured", payment=one))
    until(lambda: len(set(order.ids())) == 40)
    assert len(order.ids()) == 40


def test_what_an_upgrade_can_read_is_read_again(
    service: Service,
    operator: Operator,
    order: OrderStub,
    mongo: Mongo,
) -> None:
    """An entry that an older version could not read has a body, and no fact."""
    with mongo.client() as client:
        inbox = client[mongo.database]["payment_inbox"]
        body = event("payment.captured", payment=payment(id="pay_1"))
        entry = {"entry_id": "inb_" + "0" * 32, "source": "webhook", "event": None, "raw": body}
        counts = {"received_at": 1, "deliveries": 1, "attempts": 0, "livemode": False}
        inbox.insert_one({"_id": "body:1", "state": "unreadable", **entry, **counts})
    operator.client.post(f"/api/payments/inbox/{entry['entry_id']}/retry").raise_for_status()
    until(lambda: operator.states() == ["done"])
    assert order.ids() == ["pay_1"]
