"""The ask service's application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tracemypods.ask import listing, native
from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.answers import Answerer
from tracemypods.ask.cache.answer_cache import AnswerCache
from tracemypods.ask.cache.keys import CachePolicy
from tracemypods.ask.cache.relay import Relay
from tracemypods.ask.cache.store import AnswerStore
from tracemypods.ask.callers import Callers
from tracemypods.ask.cors import CrossOriginV1
from tracemypods.ask.entrance import Entrance
from tracemypods.ask.models import ModelServer
from tracemypods.ask.native import NativeWire
from tracemypods.ask.openai_api import embeddings
from tracemypods.ask.openai_api import routes as openai_routes
from tracemypods.ask.openai_api.errors import answer_by_path
from tracemypods.ask.openai_api.routes import OpenAIWire
from tracemypods.ask.plain_route import PlainRoute
from tracemypods.ask.premium_check import PremiumCheck
from tracemypods.ask.quotas import block_routes
from tracemypods.ask.quotas.blocks import Blocks
from tracemypods.ask.quotas.quotas import Quotas
from tracemypods.ask.revocations import Revocations
from tracemypods.ask.semantic import routes as semantic_routes
from tracemypods.ask.semantic.epochs import Epochs
from tracemypods.ask.semantic.gate import Gate
from tracemypods.ask.semantic.places import Places
from tracemypods.ask.semantic.report import Report
from tracemypods.ask.semantic.semantic_cache import SemanticCache
from tracemypods.ask.semantic.sharing import Sharing
from tracemypods.ask.semantic.vector_entries import VectorEntries
from tracemypods.ask.semantic.votes import Votes
from tracemypods.ask.servers import ModelServers, check_models
from tracemypods.ask.settings import Settings
from tracemypods.ask.state import State
from tracemypods.coalescing.client import CoalescingRedis, connect_coalescing
from tracemypods.contracts.catalogue import Catalogue, load_catalogue
from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.http import HttpClient
from tracemypods.kit.redis import connect
from tracemypods.kit.tasks import end

BODY_LIMIT = 1024 * 1024
"""Bytes of a request: a question of at most 64 KiB and the conversation before it."""

CONNECT_SECONDS = 1.0
"""How long connecting to the embedding or the vector service may take."""

EMBEDDING_SECONDS = 10.0
"""How long the embedding service may take for a caller of `/v1/embeddings`."""

TOKEN_CONNECT_SECONDS = 0.5
TOKEN_ANSWER_SECONDS = 3.0
"""The token service waits two seconds for MongoDB, and says so when that is away."""


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises CatalogueError when config/models.toml cannot be used, and SettingsError for a model
    server whose models are not in it.
    """
    redis = connect(settings)
    hot_redis = connect_coalescing(settings)
    token_service = HttpClient(
        "token",
        settings.token_url,
        connect=TOKEN_CONNECT_SECONDS,
        total=TOKEN_ANSWER_SECONDS,
        bearer=settings.token_edge_key,
    )
    callers = Callers(hot_redis, settings.token_keys(), clock, PremiumCheck(token_service))
    revocations = Revocations(redis)
    quotas = Quotas(hot_redis, settings.limits, settings.token_keys().keyed_hash)
    catalogue = load_catalogue(settings.config_dir, settings.accepted_terms)
    models = make_models(settings, catalogue)
    usual = models.usual
    answerer = Answerer(
        models, silence=settings.silence_seconds, first_text=settings.first_text_seconds
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        looking = asyncio.create_task(revocations.keep_looking())
        renewing = asyncio.create_task(quotas.keep_renewing())
        yield
        await cache.close()
        if semantic is not None:
            await semantic.close()
        if embedder is not None:
            await embedder.close()
        await end(looking, renewing)
        await entrance.close()  # while Redis is still there to settle with
        await quotas.close()
        await models.close()
        await token_service.close()
        await redis.aclose()
        await hot_redis.aclose()

    app = create_service(
        "ask",
        settings,
        routers=[
            native.router,
            listing.router,
            openai_routes.router,
            embeddings.router,
            block_routes.router,
            semantic_routes.router,
            semantic_routes.operators,
        ],
        lifespan=lifespan,
        checks={"redis": redis.ping, **({"models": usual.probe} if usual else {})},
        body_limit=BODY_LIMIT,
    )
    app.add_exception_handler(HTTPException, answer_by_path)
    app.add_exception_handler(RequestValidationError, answer_by_path)
    if settings.cors_origins:
        app.add_middleware(CrossOriginV1, origins=settings.cors_origins)
    cache = AnswerCache(
        CachePolicy(
            enabled=settings.cache_enabled,
            shared=settings.cache_shared,
            max_temperature=settings.cache_max_temperature,
        ),
        AnswerStore(
            hot_redis,
            seconds=settings.cache_seconds,
            per_token=settings.cache_per_token,
            memory_share=settings.cache_memory_share,
        ),
        Relay(redis, hot_redis),
        app.state.metrics.registry,
    )
    entrance = Entrance(hot_redis, callers, quotas, cache, clock)
    embedder = make_embedder(settings, EMBEDDING_SECONDS)
    semantic = make_semantic(settings, hot_redis, app.state.metrics.registry)
    state = State(
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
        entrance,
        Blocks(redis),
        cache,
        semantic,
        embedder,
    )
    app.state.ask = state
    app.make_plain("POST", native.PATH, PlainRoute(state, NativeWire()), takes_body=True)
    chat: ASGIApp = PlainRoute(state, OpenAIWire())
    if settings.cors_origins:
        chat = CrossOriginV1(chat, settings.cors_origins)
    app.make_plain("POST", openai_routes.PATH, chat, takes_body=True)
    return app


def make_semantic(
    settings: Settings, redis: CoalescingRedis, registry: CollectorRegistry
) -> SemanticCache | None:
    """The semantic cache, where the settings want one."""
    modes = settings.semantic_modes
    embedder = make_embedder(settings, settings.semantic_call_seconds)
    if modes.are_off or embedder is None or settings.vector_url is None:
        return None
    client = HttpClient(
        "vector",
        settings.vector_url,
        connect=CONNECT_SECONDS,
        total=settings.semantic_call_seconds,
        bearer=settings.vector_edge_key,
    )
    places, entries, gate, epochs = Places(embedder), VectorEntries(client), Gate(), Epochs(redis)
    sharing = Sharing(
        places,
        entries,
        gate,
        epochs,
        Votes(redis, settings.semantic_shared_seconds),
        seconds=settings.semantic_shared_seconds,
        is_open=settings.semantic_sharing,
    )
    return SemanticCache(
        modes,
        places,
        entries,
        gate,
        registry,
        epochs,
        Report(redis),
        sharing,
        seconds=settings.semantic_seconds,
        budget=settings.semantic_look_up_seconds,
    )


def make_embedder(settings: Settings, seconds: float) -> EmbeddingClient | None:
    """A client of the embedding service, where there is one. A call takes at most `seconds`."""
    if settings.embedding_url is None:
        return None
    client = HttpClient(
        "embedding",
        settings.embedding_url,
        connect=CONNECT_SECONDS,
        total=seconds,
        bearer=settings.embedding_edge_key,
    )
    return EmbeddingClient(client)


def make_models(settings: Settings, catalogue: Catalogue) -> ModelServers:
    """All model servers. Raises SettingsError."""
    check_models(settings.models_servers, catalogue)

    def server(url: str, key: SecretStr | None, *, awaited: bool) -> ModelServer:
        api = model_client(settings, url, key)
        beside_api = model_client(settings, url.rstrip("/").removesuffix("/v1"), key)
        return ModelServer(api, beside_api, catalogue, awaited=awaited)

    usual = None
    if settings.models_url is not None:
        usual = server(settings.models_url, settings.models_api_key, awaited=False)
    own: dict[str, ModelServer] = {}
    for one in settings.models_servers.values():
        own |= dict.fromkeys(one.models, server(one.url, one.api_key(), awaited=True))
    return ModelServers(catalogue, usual, own)


def model_client(settings: Settings, base_url: str, key: SecretStr | None) -> HttpClient:
    """A client of a model server. Answers are watched elsewhere, so reads have no limit."""
    return HttpClient(
        "models",
        base_url,
        connect=settings.connect_seconds,
        total=settings.probe_seconds,
        bearer=key,
    )
