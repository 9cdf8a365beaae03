"""The token service's application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.contracts.tokens import TokenKeys
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.redis import connect
from tracemypods.token.routes import router
from tracemypods.token.settings import Settings
from tracemypods.token.state import State
from tracemypods.token.tokens import Tokens


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises CatalogueError when config/models.toml cannot be used.
    """
    redis = connect(settings)
    keys = TokenKeys(checksum_key=settings.token_checksum_key, hash_key=settings.token_hash_key)
    tokens = Tokens(
        redis, keys, clock, seconds=settings.free_seconds, per_day=settings.tokens_per_day
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await redis.aclose()

    app = create_service(
        "token",
        settings,
        routers=[router],
        lifespan=lifespan,
        checks={"redis": redis.ping},
        body_limit=4096,
    )
    app.state.token = State(settings, load_catalogue(settings.config_dir), tokens)
    return app
