"""A served deliver service on an embedded broker, a real S3 and captured mail."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from deliver_service import OrderSide, environment

from tracemypods.deliver.app import create_app
from tracemypods.deliver.settings import Settings
from tracemypods.kit.operators import OperatorKeys
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.served import ServedApp


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path / "mail") as inbox:
        yield inbox


@pytest.fixture
def base() -> int:
    """Where a test's orders begin: those of no two tests share a place in the bucket."""
    return secrets.randbits(64) << 40


@pytest.fixture
def order(kafka: Kafka) -> OrderSide:
    return OrderSide(kafka)


@pytest.fixture
def make_deliver_service(
    mongo: Mongo,
    kafka: Kafka,
    s3: S3,
    inbox: Inbox,
    operators_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., httpx2.Client]]:
    """Serve the service with settings of the test's choice; returns an anonymous caller."""
    for name, value in environment(mongo, kafka, s3, inbox).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACEMYPODS_MODE", "local")
    with ExitStack() as stack:

        def make(**settings: Any) -> httpx2.Client:
            app = create_app(Settings(**settings))
            app.state.operator_keys = OperatorKeys(operators_file)
            served = stack.enter_context(ServedApp(app))
            return stack.enter_context(caller(served.url, None))

        yield make


@pytest.fixture
def service(
    make_deliver_service: Callable[..., httpx2.Client], request: pytest.FixtureRequest
) -> httpx2.Client:
    """The service, with the settings that a test has as the fixture's parameter."""
    return make_deliver_service(**getattr(request, "param", {}))
