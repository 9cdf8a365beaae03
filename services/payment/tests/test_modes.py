"""Money that is not real never mixes with money that is, also in a database that a demo left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from payment_service import (
    TO_ORDER,
    Operator,
    OrderStub,
    Service,
    event,
    payment,
    serve,
    settings_of,
)

from tracemypods.kit.internal import edge_variable
from tracemypods.kit.settings import Mode, SettingsError
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.waiting import until
from tracemypods.payment.app import create_app
from tracemypods.payment.settings import RAZORPAY_URL, Settings

LIVE: dict[str, Any] = {
    "mode": Mode.PRODUCTION,
    "key_id": "rzp_live_0123456789abcd",
    "key_secret": "live-key-secret-0123456789",
    "razorpay_url": RAZORPAY_URL,
}
"""Nothing below may lead to a call of Razorpay."""

SELLER = """
name = "A shop in tests"
address = "1 Some Road, Mumbai"
gstin = "unregistered"
contact = { email = "shop@example.test", phone = "1" }
grievance_officer = { name = "A", designation = "B", email = "c@example.test", phone = "1" }
"""


@pytest.fixture
def live(tmp_path: Path) -> dict[str, Any]:
    """The settings of a shop that takes real money."""
    (tmp_path / "seller.toml").write_text(SELLER)
    return {**LIVE, "config_dir": tmp_path}


@pytest.mark.parametrize("left_out", ["name", "gstin", "contact"])
def test_real_money_is_taken_by_a_seller_who_is_named(
    mongo: Mongo, live: dict[str, Any], left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(edge_variable("payment", "order"), TO_ORDER)
    values = {**settings_of(mongo, "http://127.0.0.1:9", RAZORPAY_URL), **live}
    create_app(Settings(**values))
    file = live["config_dir"] / "seller.toml"
    lines = [line for line in SELLER.splitlines() if not line.startswith(left_out)]
    file.write_text("\n".join(lines))
    with pytest.raises(SettingsError, match=left_out):
        create_app(Settings(**values))
    create_app(Settings(**{**values, "mode": Mode.DEMO, "key_id": "rzp_test_0123456789"}))


REFUND = "rfd_0123456789"


@pytest.fixture
def left_payment(
    mongo: Mongo,
    order: OrderStub,
    sandbox: RazorpaySandbox,
    operators_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A demo that is over, and has left an order, a refund and facts that are all due.

    Returns its payment's id.
    """
    monkeypatch.setenv(edge_variable("payment", "order"), TO_ORDER)
    order.outcome = lambda _fact: 503
    with serve(settings_of(mongo, order.url, sandbox.url), operators_file) as demo:
        order_id = demo.created("ord_1")
        sandbox.pay(order_id)
        demo.forward(sandbox, order_id)
        (paid,) = sandbox.payments(order_id)
        assert demo.refund(paid["id"], 10000, REFUND).status_code == 200
        until(lambda: order.refused)
    with mongo.client() as client:
        database = client[mongo.database]
        pending = {"state": "pending", "due_at": 1}
        database["payment_refunds"].update_one({"_id": REFUND}, {"$set": pending})
        for name in ("payment_orders", "payment_inbox"):
            database[name].update_many({}, {"$set": {"due_at": 1}})
    return paid["id"]


def everything(mongo: Mongo) -> dict[str, list[dict[str, Any]]]:
    """What the demo has left in the database."""
    names = ("payment_orders", "payment_refunds", "payment_inbox")
    with mongo.client() as client:
        found = {name: client[mongo.database][name].find(sort=[("_id", 1)]) for name in names}
        return {
            name: [one for one in documents if not one["livemode"]]
            for name, documents in found.items()
        }


def test_production_touches_nothing_that_a_demo_left(
    make_service: Callable[..., Service],
    operator_key: Callable[..., str],
    order: OrderStub,
    mongo: Mongo,
    left_payment: str,
    live: dict[str, Any],
) -> None:
    before = everything(mongo)
    assert [len(documents) for documents in before.values()] == [1, 1, 2]
    order.outcome = lambda _fact: "applied"
    shop = make_service(MovableClock(datetime.now(UTC)), **live)

    answer = shop.create("ord_1")
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_differs")
    answer = shop.refund(left_payment, 10000, REFUND)
    assert (answer.status_code, answer.json()["code"]) == (409, "refund_differs")
    with caller(shop.url, operator_key("payments:read", "payments:retry")) as client:
        for left in Operator(client).inbox():
            answer = client.post(f"/api/payments/inbox/{left['id']}/retry")
            assert (answer.status_code, answer.json()["code"]) == (409, "other_mode")
        answer = client.post("/api/payments/reconcile", json={"receipt": "ord_1"})
        assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")

    # The same payment, as if it were real, is another fact, and the only one that goes to order.
    for number in range(3):
        shop.taken(event("payment.captured", payment=payment(id=left_payment)))
        shop.taken(event("payment.captured", payment=payment(id=f"pay_{number}")))
    until(lambda: len(order.facts) == 4)
    assert {one["fact"]["livemode"] for one in order.facts} == {True}
    assert everything(mongo) == before
