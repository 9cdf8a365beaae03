"""Replicas of services that share their stores, for tests to kill, hang and start again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import Replica, variables
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey

ASK_KEY = "edge-key-from-ask-to-token-012345678"
ORDER_KEY = "edge-key-from-order-to-token-0123456"
BESIDE_KEY = "edge-key-from-ask-to-what-is-beside-0123"
DERIVATION_KEY = "derivation-key-of-the-tests-01234567"
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""


def ask_replica(
    valkey: Valkey,
    stub: ModelStub,
    *,
    redis_url: str | None = None,
    drain_seconds: float = 2,
    beside: Mapping[str, str] | None = None,
    log: Path | None = None,
    **settings: Any,
) -> Replica:
    """A replica of ask; `settings` are its own, such as `free_limits`.

    `redis_url` is how it reaches the Valkey, where that is not the usual way. `beside` holds the
    addresses of "embedding" and "vector", where it has a semantic cache.
    """
    own = {f"TRACEMYPODS_ASK_{name.upper()}": json.dumps(value) for name, value in settings.items()}
    return Replica(
        "ask",
        {
            **_stores_and_keys(valkey, "ask"),
            "TRACEMYPODS_MODELS_URL": stub.url,
            "TRACEMYPODS_TOKEN_URL": NOBODY,
            "TRACEMYPODS_EDGE_ASK_TOKEN": ASK_KEY,
            "TRACEMYPODS_DRAIN_SECONDS": str(drain_seconds),
            "TRACEMYPODS_REDIS_URL": redis_url or valkey.url,
            "TRACEMYPODS_EDGE_ASK_EMBEDDING": BESIDE_KEY,
            "TRACEMYPODS_EDGE_ASK_VECTOR": BESIDE_KEY,
            **{f"TRACEMYPODS_{name.upper()}_URL": url for name, url in (beside or {}).items()},
            **own,
        },
        log,
    )


def token_replica(valkey: Valkey, mongo: Mongo) -> Replica:
    """A replica of the token service."""
    return Replica(
        "token",
        {
            **_stores_and_keys(valkey, "token"),
            **variables(mongo.login()),
            "TRACEMYPODS_TOKEN_DERIVATION_KEY": DERIVATION_KEY,
            "TRACEMYPODS_EDGE_ORDER_TOKEN": ORDER_KEY,
            "TRACEMYPODS_EDGE_ASK_TOKEN": ASK_KEY,
        },
    )


def embedding_replica(log: Path) -> Replica:
    """A replica of the embedding service."""
    return Replica("embedding", {"TRACEMYPODS_EDGE_ASK_EMBEDDING": BESIDE_KEY}, log)


def vector_replica(folder: Path, log: Path) -> Replica:
    """A replica of the vector service, with its data in a folder."""
    settings = {
        "TRACEMYPODS_EDGE_ASK_VECTOR": BESIDE_KEY,
        "TRACEMYPODS_VECTOR_DATA_DIR": str(folder),
    }
    return Replica("vector", settings, log)


def _stores_and_keys(valkey: Valkey, service: str) -> dict[str, str]:
    return {
        **variables(valkey.login(service)),
        "TRACEMYPODS_TOKEN_CHECKSUM_KEY": CHECKSUM_KEY.get_secret_value(),
        "TRACEMYPODS_TOKEN_HASH_KEY": HASH_KEY.get_secret_value(),
    }
