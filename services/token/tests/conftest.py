"""A served token service whose clock the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.app import create_app
from tracemypods.token.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 5, 17, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def make_token_service(
    valkey: Valkey, clock: MovableClock
) -> Iterator[Callable[..., httpx2.Client]]:
    """Serve the token service with settings of the test's choice; returns an anonymous caller."""
    with ExitStack() as stack:

        def make(**settings: Any) -> httpx2.Client:
            values: dict[str, Any] = {
                "mode": Mode.LOCAL,
                "redis_url": valkey.url,
                "redis_password": valkey.password,
                "token_checksum_key": CHECKSUM_KEY,
                "token_hash_key": HASH_KEY,
                "config_dir": CONFIG,
                **settings,
            }
            served = stack.enter_context(ServedApp(create_app(Settings(**values), clock)))
            return stack.enter_context(caller(served.url, None))

        yield make


@pytest.fixture
def anonymous(make_token_service: Callable[..., httpx2.Client]) -> httpx2.Client:
    return make_token_service()
