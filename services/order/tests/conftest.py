"""A served order service, with the services beside it as stubs and its mail captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from order_beside import (
    EDGE_KEYS,
    EVENT_KEYS,
    SECRET_KEY,
    TO_PAYMENT_KEY,
    TO_TOKEN_KEY,
    AskStub,
    PaymentStub,
    TokenStub,
)
from order_buyer import Buyer

from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey
from tracemypods.order.app import create_app
from tracemypods.order.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path / "mail") as inbox:
        yield inbox


@pytest.fixture
def token() -> Iterator[TokenStub]:
    with TokenStub() as stub:
        yield stub


@pytest.fixture
def payment() -> Iterator[PaymentStub]:
    with PaymentStub() as stub:
        yield stub


@pytest.fixture
def ask() -> Iterator[AskStub]:
    with AskStub() as stub:
        yield stub


@pytest.fixture
def make_order_service(
    valkey: Valkey,
    mongo: Mongo,
    inbox: Inbox,
    token: TokenStub,
    payment: PaymentStub,
    ask: AskStub,
    kafka: Kafka,
    operators_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., httpx2.Client]]:
    """Serve the order service with settings of the test's choice; returns an anonymous caller."""
    for variable, key in EVENT_KEYS.items():
        monkeypatch.setenv(variable, key)
    with ExitStack() as stack:

        def make(**settings: Any) -> httpx2.Client:
            values: dict[str, Any] = {
                "mode": Mode.LOCAL,
                **valkey.login("order"),
                **mongo.login(),
                "kafka_url": kafka.url,
                # Who leaves while it joins is waited for by the next one, for so long.
                "kafka_session_seconds": 3,
                "smtp_url": inbox.smtp_url,
                "ask_url": ask.url,
                "token_url": token.url,
                "token_edge_key": TO_TOKEN_KEY,
                "payment_url": payment.url,
                "payment_edge_key": TO_PAYMENT_KEY,
                "secret_key": SECRET_KEY,
                "config_dir": CONFIG,
                "lease_seconds": 2,
                **settings,
            }
            app = create_app(Settings(**values))
            app.state.edge_keys = EdgeKeys(EDGE_KEYS)
            app.state.operator_keys = OperatorKeys(operators_file)
            served = stack.enter_context(ServedApp(app))
            return stack.enter_context(caller(served.url, None))

        yield make


@pytest.fixture
def service(make_order_service: Callable[..., httpx2.Client]) -> httpx2.Client:
    return make_order_service()


@pytest.fixture
def buyer(service: httpx2.Client, inbox: Inbox, payment: PaymentStub) -> Buyer:
    return Buyer(service, inbox, payment)
