"""The embedding service's application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.embedding import routes
from tracemypods.embedding.batching import Batcher, Limits
from tracemypods.embedding.cpus import cpu_limit
from tracemypods.embedding.engines.engine import Engine
from tracemypods.embedding.metrics import EmbeddingMetrics
from tracemypods.embedding.settings import Settings
from tracemypods.embedding.state import State
from tracemypods.kit.app import create_service
from tracemypods.kit.tasks import end

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes: room for one text of a million characters, whatever they are."""


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Make the application, with another engine than the settings name if one is given.

    Raises SettingsError when the model's file is not what it should be, or the engine is not
    installed.
    """
    engine = engine or make_engine(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        starting = asyncio.create_task(state.start())
        yield
        await end(starting)
        await state.batcher.close()
        await engine.close()

    app = create_service(
        "embedding",
        settings,
        routers=[routes.router],
        lifespan=lifespan,
        checks={"model": lambda: state.check()},
        body_limit=BODY_LIMIT,
    )
    limits = Limits(
        texts=settings.batch_texts,
        tokens=settings.batch_tokens,
        wait=settings.batch_milliseconds / 1000,
        queue=max(settings.queue_texts, settings.max_texts),
        cache=settings.cache_texts,
    )
    batcher = Batcher(engine, limits, EmbeddingMetrics(app.state.metrics.registry))
    state = app.state.embedding = State(settings, engine, batcher)
    return app


def make_engine(settings: Settings) -> Engine:
    """The engine that the settings name. Each is imported only where it is used.

    Raises SettingsError.
    """
    threads = settings.threads or cpu_limit()
    if settings.engine == "openai":
        from tracemypods.embedding.engines.openai import OpenAI

        return OpenAI(
            settings.openai_url,
            settings.model,
            settings.openai_api_key,
            seconds=settings.openai_seconds,
            parallel=settings.openai_parallel,
        )
    if settings.engine == "sentence-transformers":
        from tracemypods.embedding.engines.sentence_transformers import SentenceTransformers

        return SentenceTransformers(settings.model, threads)
    from tracemypods.embedding.engines.minilm import MiniLM

    return MiniLM(threads, settings.onnx_file)
