"""The payment service's application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.contracts.seller import FILE_NAME, load_seller
from tracemypods.kit import mongo
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.http import HttpClient
from tracemypods.kit.internal import edge_bearer
from tracemypods.kit.settings import SettingsError
from tracemypods.kit.tasks import end
from tracemypods.payment import internal_routes, operator_routes, webhook_route
from tracemypods.payment.comparison import Comparison
from tracemypods.payment.handover import HandOver
from tracemypods.payment.inbox import Inbox
from tracemypods.payment.loops import KeepDoing
from tracemypods.payment.metrics import PaymentMetrics
from tracemypods.payment.orders import Orders
from tracemypods.payment.razorpay.client import CONNECT_SECONDS, TOTAL_SECONDS, RazorpayClient
from tracemypods.payment.refunds import Refunds
from tracemypods.payment.settings import Settings
from tracemypods.payment.state import State
from tracemypods.payment.watching import Watching

_log = logging.getLogger("tracemypods.payment")

BODY_LIMIT = 256 * 1024
"""Bytes; a webhook has a few thousand."""

ORDER_CONNECT_SECONDS = 1.0
TIDY_SECONDS = 60.0


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application.

    Raises SettingsError when the key for the order service is missing, or money would be real and
    config/seller.toml does not say to whom it goes.
    """
    _require_seller(settings)
    client = mongo.connect(settings)
    order = HttpClient(
        "order",
        settings.order_url,
        connect=ORDER_CONNECT_SECONDS,
        total=settings.order_seconds,
        bearer=edge_bearer("payment", "order"),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        working = _start_work(state)
        yield
        await end(*working)
        await state.hand_over.close()
        await state.razorpay.close()
        await order.close()
        await client.close()

    app = create_service(
        "payment",
        settings,
        routers=[webhook_route.router, internal_routes.router, operator_routes.router],
        lifespan=lifespan,
        checks={"mongo": lambda: mongo.ping(client)},
        body_limit=BODY_LIMIT,
    )
    metrics = PaymentMetrics(app.state.metrics.registry)
    state = _make_state(settings, client, order, metrics, clock)
    app.state.payment = state
    return app


def _require_seller(settings: Settings) -> None:
    missing = load_seller(settings.config_dir).missing()
    if settings.livemode and missing:
        raise SettingsError(
            f"{settings.config_dir / FILE_NAME}: real money is taken by a seller who is named: "
            f"{', '.join(missing)} are empty"
        )


def _make_state(
    settings: Settings,
    client: mongo.AsyncMongoClient[mongo.Document],
    order: HttpClient,
    metrics: PaymentMetrics,
    clock: Clock,
) -> State:
    database = client[settings.mongo_database]
    livemode = settings.livemode
    http = HttpClient(
        "razorpay", settings.razorpay_url, connect=CONNECT_SECONDS, total=TOTAL_SECONDS
    )
    razorpay = RazorpayClient(http, settings.key_id, settings.key_secret)
    inbox = Inbox(database, clock, livemode=livemode, keep_days=settings.keep_days)
    orders = Orders(
        database,
        razorpay,
        clock,
        key_id=settings.key_id,
        livemode=livemode,
        first_look_seconds=settings.first_look_seconds,
    )
    return State(
        settings=settings,
        razorpay=razorpay,
        inbox=inbox,
        hand_over=HandOver(
            inbox,
            order,
            metrics,
            order_seconds=settings.order_seconds,
            longest_pause=settings.retry_seconds,
        ),
        orders=orders,
        refunds=Refunds(
            database,
            inbox,
            razorpay,
            metrics,
            clock,
            livemode=livemode,
            longest_pause=settings.retry_seconds,
        ),
        watching=Watching(
            orders,
            inbox,
            razorpay,
            metrics,
            clock,
            livemode=livemode,
            first_look_seconds=settings.first_look_seconds,
            watch_seconds=settings.watch_seconds,
            pause_seconds=settings.retry_seconds,
        ),
        comparison=Comparison(
            database,
            inbox,
            razorpay,
            metrics,
            clock,
            livemode=livemode,
            every_seconds=settings.comparison_seconds,
            days=settings.comparison_days,
        ),
        metrics=metrics,
    )


async def _prepare(state: State, prepared: asyncio.Event) -> None:
    """Make the indexes as soon as MongoDB is there."""
    while not prepared.is_set():
        try:
            await state.inbox.create_indexes()
            await state.orders.create_indexes()
            await state.refunds.create_indexes()
            await state.comparison.start()
            prepared.set()
        except Unavailable as error:
            _log.warning("indexes must wait", extra={"reason": error.code})
        except Exception:  # noqa: BLE001 - an edge: without indexes nothing is handed over
            _log.exception("indexes not made")
        if not prepared.is_set():
            await asyncio.sleep(state.settings.poll_seconds)


def _start_work(state: State) -> list[asyncio.Task[None]]:
    """Start everything that goes on for as long as the service runs."""
    prepared = asyncio.Event()
    poll = state.settings.poll_seconds
    kept_doing = [
        KeepDoing("handover", state.hand_over.step, poll, state.inbox.arrived),
        KeepDoing("refunds", state.refunds.step, poll),
        KeepDoing("looks", state.watching.step, poll),
        KeepDoing("comparison", state.comparison.step, poll, state.comparison.announced),
        KeepDoing("tidying", lambda: _tidy(state), TIDY_SECONDS),
    ]
    work = [_prepare(state, prepared), *(one.after(prepared) for one in kept_doing)]
    return [asyncio.create_task(one) for one in work]


async def _tidy(state: State) -> bool:
    """Delete what was kept long enough, and measure how long facts wait for order."""
    await state.inbox.expire()
    state.metrics.oldest_pending.set(await state.inbox.oldest_pending_seconds())
    return False
