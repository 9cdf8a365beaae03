"""A served payment service between stand-ins of Razorpay and of the order service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from payment_service import TO_ORDER, Operator, OrderStub, Service, serve, settings_of

from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.internal import edge_variable
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.http_stub import HttpStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox

MakeService = Callable[..., Service]


@pytest.fixture
def order() -> Iterator[OrderStub]:
    with HttpStub() as stub:
        yield OrderStub(stub)


@pytest.fixture
def sandbox(make_razorpay: Callable[..., RazorpaySandbox]) -> RazorpaySandbox:
    """A Razorpay whose webhooks the test brings."""
    return make_razorpay(hang_seconds=60)


@pytest.fixture
def make_service(
    mongo: Mongo,
    order: OrderStub,
    sandbox: RazorpaySandbox,
    operators_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeService]:
    """Serve the service with settings of the test's choice."""
    monkeypatch.setenv(edge_variable("payment", "order"), TO_ORDER)
    with ExitStack() as stack:

        def make(clock: Clock = utc_now, **changed: Any) -> Service:
            values = {**settings_of(mongo, order.url, sandbox.url), **changed}
            return stack.enter_context(serve(values, operators_file, clock))

        yield make


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service()


@pytest.fixture
def operator(service: Service, operator_key: Callable[..., str]) -> Iterator[Operator]:
    with caller(service.url, operator_key("payments:read", "payments:retry")) as client:
        yield Operator(client)
