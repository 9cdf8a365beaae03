"""Killed at every step: whoever paid gets the token, nobody's money stays behind, and others hear.

That is: the payment and each refund of it are told, and that they were confirmed is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from order_beside import (
    EVENT_KEYS,
    PAYMENT_KEY,
    SECRET_KEY,
    TO_PAYMENT_KEY,
    TO_TOKEN_KEY,
    AskStub,
    PaymentStub,
    TokenStub,
)
from order_buyer import Buyer
from order_deliver import DeliverSide

from tracemypods.kit.clock import utc_now
from tracemypods.kit.internal import edge_variable
from tracemypods.kit.operators import new_key
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import Replica, variables
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import until

SCRIPT = Path(__file__).with_name("dying_order.py")
MOMENTS = 120
"""More than the story has; the test says if that changes."""


class Mortal(Replica):
    """The service as a process of its own, which dies at a moment and is started again."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__("order", settings)
        self.client = caller(self.url, None)
        self.deaths = 0

    def start_to_die(self, fatal: int) -> None:
        """Start it to die at a moment (0: never)."""
        self.program = (str(SCRIPT), str(fatal))
        self.start(may_end=True)

    def insist(self, call: Callable[[], httpx2.Response]) -> Any:
        """Call until it is answered well, as payment does, and a page that is reloaded."""

        def answered() -> httpx2.Response | None:
            self.revive()
            with suppress(httpx2.TransportError):
                answer = call()
                return answer if answer.is_success else None
            return None

        return until(answered).json()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, whatever dies meanwhile."""

        def holds() -> bool:
            self.revive()
            with suppress(httpx2.TransportError):
                return condition()
            return False

        until(holds)

    def revive(self) -> None:
        """Start it again if it has died; it lives from then on."""
        if self.has_ended:
            self.deaths += 1
            self.start_to_die(0)


@pytest.fixture
def mortal(
    valkey: Valkey,
    mongo: Mongo,
    inbox: Inbox,
    token: TokenStub,
    payment: PaymentStub,
    ask: AskStub,
    kafka: Kafka,
    tmp_path: Path,
) -> Iterator[Mortal]:
    environment = {
        **variables(valkey.login("order"), mongo.login()),
        "TRACEMYPODS_KAFKA_URL": kafka.url,
        "TRACEMYPODS_KAFKA_SESSION_SECONDS": "2",
        "TRACEMYPODS_SMTP_URL": inbox.smtp_url,
        "TRACEMYPODS_ASK_URL": ask.url,
        "TRACEMYPODS_TOKEN_URL": token.url,
        "TRACEMYPODS_PAYMENT_URL": payment.url,
        "TRACEMYPODS_SECRETS_DIR": str(tmp_path),
        "TRACEMYPODS_ORDER_SECRET_KEY": SECRET_KEY.get_secret_value(),
        "TRACEMYPODS_ORDER_LEASE_SECONDS": "0.3",
        "TRACEMYPODS_ORDER_FIRST_LOOK_SECONDS": "1",
        "TRACEMYPODS_ORDER_RESEND_SECONDS": "1",
        edge_variable("order", "token"): TO_TOKEN_KEY.get_secret_value(),
        edge_variable("order", "payment"): TO_PAYMENT_KEY.get_secret_value(),
        edge_variable("payment", "order"): PAYMENT_KEY.get_secret_value(),
        **EVENT_KEYS,
    }
    mortal = Mortal(environment)
    yield mortal
    mortal.stop()
    mortal.client.close()


@pytest.fixture
def deliver(kafka: Kafka) -> Iterator[DeliverSide]:
    with DeliverSide(kafka) as deliver:
        yield deliver


def live_through(
    mortal: Mortal,
    inbox: Inbox,
    payment: PaymentStub,
    token: TokenStub,
    deliver: DeliverSide,
    operator: str,
    verification: str,
    fatal: int,
) -> None:
    """An order is made, paid twice, given back in part and then whole."""
    mortal.stop()
    mortal.start_to_die(fatal)
    buyer = Buyer(mortal.client, inbox, payment)
    order = mortal.insist(lambda: buyer.create(verification, "key-of-a-page"))
    for name in (f"pay_{fatal}_1", f"pay_{fatal}_2"):
        fact = buyer.fact(order, name)
        assert mortal.insist(lambda fact=fact: buyer.tell(fact))["outcome"] in ("applied", "known")
    mortal.wait_until(lambda: token.states.get(order["order_id"]) == "active")
    path, headers = f"/api/orders/{order['order_id']}/refunds", {"Authorization": operator}
    for key, amount in (("refund-part-1", 4000), ("refund-rest-1", 5900)):
        sent = {**headers, "Idempotency-Key": key}
        mortal.insist(
            lambda sent=sent, amount=amount: mortal.client.post(
                path, json={"amount": amount}, headers=sent
            )
        )
    mortal.wait_until(lambda: token.states.get(order["order_id"]) == "revoked")
    secret = {"Authorization": f"Bearer {order['order_secret']}"}

    def seen() -> dict[str, Any]:
        return mortal.client.get(f"/order/{order['order_id']}", headers=secret).json()

    mortal.wait_until(lambda: seen()["status"] == "refunded")
    mortal.wait_until(lambda: seen()["steps"]["invoice"] == "sent")
    mortal.wait_until(lambda: sum("mailed" in one["what"] for one in seen()["history"]) == 3)
    paid, *refunds = sorted(deliver.ids(order["order_id"]))
    assert paid == f"{order['order_id']}:paid"
    assert [":refunded-rfd-" in one for one in refunds] == [True, True]
    amounts = [
        one["amount"]
        for one in payment.refunds.values()
        if one["payment_id"].startswith(f"pay_{fatal}_")
    ]
    assert sorted(amounts) == [4000, 5900, 9900]


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(range(2, MOMENTS + 1, 29), id="some"),
        pytest.param(range(1, MOMENTS + 1), id="all", marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(600)
def test_killed_at_every_step(
    mortal: Mortal,
    inbox: Inbox,
    payment: PaymentStub,
    token: TokenStub,
    deliver: DeliverSide,
    tmp_path: Path,
    moments: range,
) -> None:
    key, known = new_key("asha", ("orders:refund",), utc_now())
    (tmp_path / "tracemypods_operator_keys").write_text(known.model_dump_json() + "\n")
    mortal.start_to_die(0)
    for fatal in moments:
        verification = Buyer(mortal.client, inbox, payment, f"m{fatal}@example.test").verified()
        before = mortal.deaths
        live_through(mortal, inbox, payment, token, deliver, f"Bearer {key}", verification, fatal)
        if mortal.deaths == before:
            assert fatal > 20  # the story is over before that moment
            break
    else:
        raise AssertionError(f"the story has more than {MOMENTS} moments")
