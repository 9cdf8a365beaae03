"""The ask service's application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tracemypods.ask import listing, native
from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.answers import Answerer
from tracemypods.ask.cache.answer_cache import AnswerCache
from tracemypods.ask.cache.keys import CachePolicy
from tracemypods.ask.cache.relay import Relay
from tracemypods.ask.cache.store import AnswerStore
from tracemypods.ask.callers import Callers
from tracemypods.ask.cors import CrossOriginV1
from tracemypods.ask.models import ModelServer
from tracemypods.ask.openai_api import routes as openai_routes
from tracemypods.ask.openai_api.errors import answer_by_path
from tracemypods.ask.premium_check import PremiumCheck
from tracemypods.ask.quotas.quotas import Quotas
from tracemypods.ask.revocations import Revocations
from tracemypods.ask.settings import Settings
from tracemypods.ask.state import State
from tracemypods.ask.streams import CallerLeft
from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.http import HttpClient
from tracemypods.kit.redis import connect
from tracemypods.kit.tasks import end

BODY_LIMIT = 1024 * 1024
"""Bytes of a request: a question of at most 64 KiB and the conversation before it."""

TOKEN_CONNECT_SECONDS = 0.5
TOKEN_ANSWER_SECONDS = 3.0
"""The token service waits two seconds for MongoDB, and says so when that is away."""

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for callers who left; it shows in the log only."""


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises CatalogueError when config/models.toml cannot be used.
    """
    redis = connect(settings)
    token_service = HttpClient(
        "token",
        settings.token_url,
        connect=TOKEN_CONNECT_SECONDS,
        read=None,
        total=TOKEN_ANSWER_SECONDS,
        bearer=settings.token_edge_key,
    )
    callers = Callers(redis, settings.token_keys(), clock, PremiumCheck(token_service))
    revocations = Revocations(redis)
    quotas = Quotas(redis, settings.limits, settings.token_keys().keyed_hash)
    cache = AnswerCache(
        CachePolicy(
            enabled=settings.cache_enabled,
            shared=settings.cache_shared,
            max_temperature=settings.cache_max_temperature,
        ),
        AnswerStore(
            redis,
            seconds=settings.cache_seconds,
            per_token=settings.cache_per_token,
            memory_share=settings.cache_memory_share,
        ),
        Relay(redis),
    )
    catalogue = load_catalogue(settings.config_dir, settings.accepted_terms)
    api = model_client(settings, settings.models_url)
    beside_api = model_client(settings, settings.models_url.rstrip("/").removesuffix("/v1"))
    models = ModelServer(api, beside_api, catalogue)
    answerer = Answerer(
        api, models, silence=settings.silence_seconds, first_text=settings.first_text_seconds
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        looking = asyncio.create_task(revocations.keep_looking())
        renewing = asyncio.create_task(quotas.keep_renewing())
        yield
        await cache.close()
        await end(looking, renewing)
        await quotas.close()  # while Redis is still there to settle with
        await token_service.close()
        await api.close()
        await beside_api.close()
        await redis.aclose()

    app = create_service(
        "ask",
        settings,
        routers=[native.router, listing.router, openai_routes.router],
        lifespan=lifespan,
        checks={"redis": redis.ping, "models": models.probe},
        body_limit=BODY_LIMIT,
    )
    app.add_exception_handler(HTTPException, answer_by_path)
    app.add_exception_handler(RequestValidationError, answer_by_path)
    app.add_exception_handler(CallerLeft, nobody_to_answer)
    if settings.cors_origins:
        app.add_middleware(CrossOriginV1, origins=settings.cors_origins)
    app.state.ask = State(
        settings,
        catalogue,
        callers,
        models,
        answerer,
        app.state.draining,
        revocations,
        ModelQueues(
            app.state.metrics.registry,
            slots=settings.parallel,
            slots_by_model=settings.parallel_by_model,
            places=settings.queue_places,
            deadline=settings.queue_seconds,
        ),
        quotas,
        cache,
    )
    return app


def model_client(settings: Settings, base_url: str) -> HttpClient:
    """A client of the model server. Answers are watched elsewhere, so reads have no limit."""
    return HttpClient(
        "models",
        base_url,
        connect=settings.connect_seconds,
        read=None,
        total=settings.probe_seconds,
        bearer=settings.models_api_key,
    )


async def nobody_to_answer(_request: Request, _error: Exception) -> Response:
    """The answer to a caller who left."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)
