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
from semantic_person import Person
from semantic_stubs import Embedder, Vectors

from tracemypods.ask.app import create_app
from tracemypods.ask.settings import Settings
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY, store_token
from tracemypods.local.testing.valkey import Valkey

EDGE_KEY = SecretStr("edge-key-from-ask-to-token-012345678")
BESIDE_KEY = "edge-key-from-ask-to-the-others-01234567"
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
            **shared_valkey.login("ask"),
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


@pytest.fixture
def embedder() -> Iterator[Embedder]:
    with Embedder() as embedder:
        yield embedder


@pytest.fixture
def vectors() -> Iterator[Vectors]:
    with Vectors() as vectors:
        yield vectors


@pytest.fixture
def make_semantic(
    make_ask: Callable[..., ServedApp], embedder: Embedder, vectors: Vectors
) -> Callable[..., ServedApp]:
    """Serve ask beside both."""

    def make(**settings: Any) -> ServedApp:
        beside = {
            "embedding_url": embedder.url,
            "embedding_edge_key": BESIDE_KEY,
            "vector_url": vectors.url,
            "vector_edge_key": BESIDE_KEY,
            "semantic_look_up_seconds": 10,  # nothing here depends on how fast the machine is
        }
        return make_ask(**{**beside, **settings})

    return make


@pytest.fixture
def make_person(
    make_semantic: Callable[..., ServedApp], vectors: Vectors, valkey: Valkey
) -> Iterator[Callable[..., Person]]:
    """Somebody with a token of their own, at an ask with settings of the test's choice."""
    with ExitStack() as stack:

        def make(served: ServedApp | None = None, plan: Any = "free", **settings: Any) -> Person:
            url = (served or make_semantic(**settings)).url
            token = store_token(valkey, plan=plan)
            return Person(stack.enter_context(caller(url, token, cached=True)), token, vectors)

        yield make


@pytest.fixture
def operator(
    operators_file: Path, operator_key: Callable[..., str]
) -> Iterator[Callable[[ServedApp], httpx2.Client]]:
    """An operator who may do all with the semantic cache, at a service."""
    with ExitStack() as stack:

        def make(served: ServedApp) -> httpx2.Client:
            served.app.state.operator_keys = OperatorKeys(operators_file)
            key = operator_key("cache:read", "cache:share", "cache:delete")
            return stack.enter_context(caller(served.url, key))

        yield make
