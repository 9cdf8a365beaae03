"""A served token service whose clock the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from token_store import DERIVATION_KEY, EDGE_KEYS, NOW

from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.app import create_app
from tracemypods.token.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture
def make_token_service(
    valkey: Valkey, mongo: Mongo, clock: MovableClock, operators_file: Path
) -> Iterator[Callable[..., httpx2.Client]]:
    """Serve the token service with settings of the test's choice; returns an anonymous caller."""
    with ExitStack() as stack:

        def make(**settings: Any) -> httpx2.Client:
            values: dict[str, Any] = {
                "mode": Mode.LOCAL,
                **valkey.login("token"),
                "token_checksum_key": CHECKSUM_KEY,
                "token_hash_key": HASH_KEY,
                "derivation_key": DERIVATION_KEY,
                **mongo.login(),
                "config_dir": CONFIG,
                **settings,
            }
            app = create_app(Settings(**values), clock)
            app.state.edge_keys = EdgeKeys(EDGE_KEYS)
            app.state.operator_keys = OperatorKeys(operators_file)
            served = stack.enter_context(ServedApp(app))
            return stack.enter_context(caller(served.url, None))

        yield make


@pytest.fixture
def anonymous(make_token_service: Callable[..., httpx2.Client]) -> httpx2.Client:
    return make_token_service()
