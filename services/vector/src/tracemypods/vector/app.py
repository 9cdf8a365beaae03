"""The vector service's application."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.http import HttpClient
from tracemypods.kit.internal import edge_bearer
from tracemypods.kit.settings import SettingsError
from tracemypods.kit.tasks import end
from tracemypods.vector import operator_routes, routes
from tracemypods.vector.entries import Entries
from tracemypods.vector.metrics import VectorMetrics
from tracemypods.vector.settings import Settings
from tracemypods.vector.state import State
from tracemypods.vector.stores.store import Store
from tracemypods.vector.sweeper import keep_sweeping

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes: room for as many points as one call may bring, with vectors in base64."""

CONNECT_SECONDS = 1.0


def create_app(settings: Settings, clock: Clock = utc_now, store: Store | None = None) -> FastAPI:
    """Make the application, with another store than the settings name if one is given.

    Raises SettingsError when the key for the embedding service, or an engine, is missing.
    """
    store = store or make_store(settings)
    embedding = make_embedding(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        working = asyncio.create_task(_work(state))
        yield
        await end(working)
        await store.close()
        if embedding is not None:
            await embedding.close()

    app = create_service(
        "vector",
        settings,
        routers=[routes.router, operator_routes.router],
        lifespan=lifespan,
        checks={"store": lambda: state.check()},
        body_limit=BODY_LIMIT,
    )
    metrics = VectorMetrics(app.state.metrics.registry)
    state = State(settings, store, Entries(store, embedding, clock), metrics)
    app.state.vector = state
    return app


def make_store(settings: Settings) -> Store:
    """The store that the settings name. Each engine is imported only where it is used.

    Raises SettingsError when that is the embedded one, and it is not installed.
    """
    if settings.qdrant_url is None:
        if importlib.util.find_spec("qdrant_edge") is None:
            raise SettingsError(
                "TRACEMYPODS_VECTOR_QDRANT_URL: needed here, where the embedded engine is missing"
            )
        from tracemypods.vector.stores.embedded import EmbeddedStore

        return EmbeddedStore(
            settings.data_dir,
            seconds=settings.store_seconds,
            waiting=settings.waiting_calls,
            max_collections=settings.max_collections,
        )
    from tracemypods.vector.stores.server import ServerStore, connect

    return ServerStore(
        connect(settings.qdrant_url, settings.qdrant_api_key, settings.store_seconds),
        seconds=settings.store_seconds,
        max_collections=settings.max_collections,
    )


def make_embedding(settings: Settings) -> EmbeddingClient | None:
    """The client for texts, if there is an embedding service. Raises SettingsError."""
    if settings.embedding_url is None:
        return None
    client = HttpClient(
        "embedding",
        settings.embedding_url,
        connect=CONNECT_SECONDS,
        total=settings.embedding_seconds,
        bearer=edge_bearer("vector", "embedding"),
    )
    return EmbeddingClient(client)


async def _work(state: State) -> None:
    await state.start()
    await keep_sweeping(state)
