"""A served ask service with a model that obeys, and a token that holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from tracemypods.ask.app import create_app
from tracemypods.ask.settings import Settings
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY, store_token
from tracemypods.local.testing.valkey import Valkey

EDGE_KEY = SecretStr("edge-key-from-ask-to-token-012345678")
CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with ModelStub() as stub:
        yield stub


@pytest.fixture(scope="session")
def make_app(shared_valkey: Valkey) -> Callable[..., FastAPI]:
    """Make ask's application for a model server, with settings of the test's choice."""

    def make(stub: ModelStub, **settings: Any) -> FastAPI:
        values: dict[str, Any] = {
            "mode": Mode.LOCAL,
            "redis_url": shared_valkey.url,
            "redis_password": shared_valkey.password,
            "models_url": stub.url,
            "token_checksum_key": CHECKSUM_KEY,
            "token_hash_key": HASH_KEY,
            "token_url": "http://127.0.0.1:9",  # nobody listens there
            "token_edge_key": EDGE_KEY,
            "config_dir": CONFIG,
            **settings,
        }
        return create_app(Settings(**values))

    return make


@pytest.fixture
def make_ask(
    valkey: Valkey, stub: ModelStub, make_app: Callable[..., FastAPI]
) -> Iterator[Callable[..., ServedApp]]:
    """Serve ask with settings of the test's choice."""
    with ExitStack() as stack:

        def make(**settings: Any) -> ServedApp:
            return stack.enter_context(ServedApp(make_app(stub, **settings)))

        yield make


@pytest.fixture
def ask_url(make_ask: Callable[..., ServedApp]) -> str:
    return make_ask().url


@pytest.fixture
def token(valkey: Valkey) -> str:
    return store_token(valkey)


@pytest.fixture
def client(ask_url: str, token: str) -> Iterator[httpx2.Client]:
    """A caller with a valid token."""
    with caller(ask_url, token) as client:
        yield client
