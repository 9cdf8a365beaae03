"""The token service's application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.coalescing.client import connect_coalescing
from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.kit import mongo
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.redis import connect
from tracemypods.kit.settings import Mode
from tracemypods.kit.tasks import end
from tracemypods.token import premium_routes, routes
from tracemypods.token.burials import keep_burying
from tracemypods.token.free import FreeTokens
from tracemypods.token.hot import PATH, HotTokenCheck
from tracemypods.token.lookup import Lookup
from tracemypods.token.premium import PremiumTokens
from tracemypods.token.settings import Settings
from tracemypods.token.state import State

_log = logging.getLogger("tracemypods.token")


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises CatalogueError when config/models.toml cannot be used.
    """
    redis = connect(settings)
    hot_redis = connect_coalescing(settings)
    client = mongo.connect(settings)
    keys = settings.token_keys()
    derivation_keys = [
        key for key in (settings.derivation_key, settings.derivation_key_previous) if key
    ]
    premium = PremiumTokens(
        client[settings.mongo_database],
        keys,
        derivation_keys,
        clock,
        only_live=settings.mode is Mode.PRODUCTION,
    )
    lookup = Lookup(redis, premium, keys, clock, cache_seconds=settings.premium_cache_seconds)
    free = FreeTokens(
        redis, keys, clock, seconds=settings.free_seconds, per_day=settings.tokens_per_day
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        working = asyncio.create_task(_work(premium, lookup))
        yield
        await end(working)
        await client.close()
        await redis.aclose()
        await hot_redis.aclose()

    app = create_service(
        "token",
        settings,
        routers=[routes.router, *premium_routes.routers()],
        lifespan=lifespan,
        checks={"redis": redis.ping, "mongo": lambda: mongo.ping(client)},
        body_limit=4096,
    )
    catalogue = load_catalogue(settings.config_dir, settings.accepted_terms)
    state = State(settings, catalogue, free, premium, lookup)
    app.state.token = state
    check = HotTokenCheck(state=state, keys=keys, clock=clock, redis=hot_redis)
    app.make_plain("GET", PATH, check, takes_body=False)
    return app


async def _work(premium: PremiumTokens, lookup: Lookup) -> None:
    """Make the indexes as soon as MongoDB is there, then write tombstones that wait."""
    while True:
        try:
            await premium.create_indexes()
            break
        except Unavailable as error:
            _log.warning("indexes must wait", extra={"reason": error.code})
            await asyncio.sleep(1)
    await keep_burying(premium, lookup)
