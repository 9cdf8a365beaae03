"""A served embedding service, with the real model or with a stub of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from embedding_service import ASK_KEY, EDGE_KEYS, when_ready

from tracemypods.embedding.app import create_app
from tracemypods.embedding.engines.engine import Engine
from tracemypods.embedding.settings import Settings
from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp

MakeService = Callable[..., httpx2.Client]


@pytest.fixture
def make_service() -> Iterator[MakeService]:
    """Serve the service with settings of the test's choice; returns ask as its caller."""
    with ExitStack() as stack:

        def make(
            stub: Engine | None = None, *, wait: bool = True, **settings: Any
        ) -> httpx2.Client:
            values: dict[str, Any] = {"mode": Mode.LOCAL, "threads": 1, **settings}
            app = create_app(Settings(**values), stub)
            app.state.edge_keys = EdgeKeys(EDGE_KEYS)
            served = stack.enter_context(ServedApp(app))
            client = stack.enter_context(caller(served.url, ASK_KEY.get_secret_value()))
            if wait:
                when_ready(client)
            return client

        yield make


@pytest.fixture(scope="module")
def ask() -> Iterator[httpx2.Client]:
    """Ask, as a caller of one service with the real model."""
    values: dict[str, Any] = {"mode": Mode.LOCAL, "threads": 1}
    app = create_app(Settings(**values))
    app.state.edge_keys = EdgeKeys(EDGE_KEYS)
    with ServedApp(app) as served, caller(served.url, ASK_KEY.get_secret_value()) as client:
        when_ready(client)
        yield client
