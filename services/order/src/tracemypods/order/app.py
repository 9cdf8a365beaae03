"""The order service's application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.contracts.events import DELIVERIES
from tracemypods.contracts.seller import load_seller
from tracemypods.events.consuming import Consumer
from tracemypods.events.liveness import LivenessMetrics
from tracemypods.events.publishing import Publisher
from tracemypods.events.running import keep_running
from tracemypods.kit import mongo
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.http import HttpClient
from tracemypods.kit.redis import connect
from tracemypods.kit.tasks import end
from tracemypods.mail.sending import Mailer
from tracemypods.order.beside import Payments, Tokens
from tracemypods.order.codes import routes as code_routes
from tracemypods.order.codes.challenges import Challenges
from tracemypods.order.codes.sending import CodeSender
from tracemypods.order.codes.verifications import Verifications
from tracemypods.order.orders import facts, operator_routes, routes
from tracemypods.order.orders.buying import Buying
from tracemypods.order.orders.confirmations import Confirmations
from tracemypods.order.orders.outbox import PRODUCER, Gaps
from tracemypods.order.orders.relay import Relay
from tracemypods.order.orders.settlement import Settlement
from tracemypods.order.orders.store import Orders
from tracemypods.order.sales.market import Market
from tracemypods.order.sales.offers import Offers
from tracemypods.order.sales.plans import load_plans
from tracemypods.order.settings import Settings
from tracemypods.order.state import State

_log = logging.getLogger("tracemypods.order")

SERVICE = PRODUCER
BODY_LIMIT = 16 * 1024
CONNECT_SECONDS = 1.0
TOKEN_SECONDS = 3.0
ASK_SECONDS = 2.0
PAYMENT_SECONDS = 12.0
"""Payment gives Razorpay 10 s."""


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises SettingsError when config/plans.toml or config/seller.toml cannot be used, or a key is
    missing.
    """

    def now() -> int:
        return int(clock().timestamp() * 1000)

    redis = connect(settings)
    client = mongo.connect(settings)
    ask = HttpClient("ask", settings.ask_url, connect=CONNECT_SECONDS, total=ASK_SECONDS)
    token = HttpClient(
        "token",
        settings.token_url,
        connect=CONNECT_SECONDS,
        total=TOKEN_SECONDS,
        bearer=settings.token_edge_key,
    )
    payment = HttpClient(
        "payment",
        settings.payment_url,
        connect=CONNECT_SECONDS,
        total=PAYMENT_SECONDS,
        bearer=settings.payment_edge_key,
    )
    orders = Orders(client[settings.mongo_database])
    payments, tokens = Payments(payment), Tokens(token)
    publisher = Publisher.load(settings, SERVICE)
    gaps = Gaps(
        first_look=int(settings.first_look_seconds * 1000),
        resend=int(settings.resend_seconds * 1000),
    )
    relay = Relay(orders, publisher, now, gaps, only_live=settings.only_live)
    settlement = Settlement(
        orders,
        payments,
        tokens,
        relay.publish_soon,
        now,
        lease=int(settings.lease_seconds * 1000),
        only_live=settings.only_live,
    )
    state = State(
        settings=settings,
        challenges=Challenges(redis, settings.secret_key, settings.mail_limits, clock),
        codes=CodeSender(Mailer(settings, clock)),
        verifications=Verifications(settings.secret_key, clock),
        offers=Offers(load_plans(settings.config_dir), ask),
        orders=orders,
        settlement=settlement,
        buying=Buying(
            orders,
            settlement,
            payments,
            tokens,
            settings.secret_key,
            now,
            only_live=settings.only_live,
        ),
        market=Market(load_seller(settings.config_dir)),
        now=now,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        state.codes.start()
        working = asyncio.create_task(
            keep_running("orders", lambda: _work(state, relay, confirming))
        )
        yield
        await state.codes.close()
        await end(working)  # first, since it may just be starting the consumer
        await confirming.close()
        await relay.close()
        await publisher.close()
        await redis.aclose()
        await client.close()
        for one in (ask, token, payment):
            await one.close()

    app = create_service(
        SERVICE,
        settings,
        routers=[code_routes.router, routes.router, facts.router, operator_routes.router],
        lifespan=lifespan,
        checks={"redis": redis.ping, "mongo": lambda: mongo.ping(client)},
        body_limit=BODY_LIMIT,
    )
    confirming = Consumer.load(
        settings,
        DELIVERIES,
        SERVICE,
        Confirmations(orders, now).take,
        metrics=LivenessMetrics(app.state.metrics.registry),
    )
    app.state.order = state
    return app


async def _work(state: State, relay: Relay, confirming: Consumer) -> None:
    """Make the indexes as soon as MongoDB is there, then do what orders are owed."""
    while True:
        try:
            await state.orders.create_indexes()
            break
        except Unavailable as error:
            _log.warning("indexes can't be made", extra={"reason": error.code})
            await asyncio.sleep(1)
    confirming.start()
    await asyncio.gather(
        keep_running("settling", state.settlement.keep_settling),
        keep_running("publishing", relay.keep_publishing),
    )
