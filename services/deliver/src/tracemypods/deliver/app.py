"""The deliver service's application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from tracemypods.contracts.events import ORDERS
from tracemypods.deliver.files.bucket import Bucket
from tracemypods.deliver.files.index import FileIndex
from tracemypods.deliver.files.keeping import Files
from tracemypods.deliver.invoices.numbers import Numbers
from tracemypods.deliver.invoices.store import Invoices
from tracemypods.deliver.jobs import routes
from tracemypods.deliver.jobs.deadletters import DeadLetters
from tracemypods.deliver.jobs.delivering import PRODUCER, Delivering
from tracemypods.deliver.jobs.intake import Intake
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.deliver.jobs.working import Worker
from tracemypods.deliver.pdf.errors import NotRendered
from tracemypods.deliver.pdf.rendering import Limits, Rendering
from tracemypods.deliver.settings import Settings
from tracemypods.deliver.state import State
from tracemypods.events.consuming import Consumer
from tracemypods.events.liveness import LivenessMetrics
from tracemypods.events.publishing import Publisher
from tracemypods.events.running import keep_running
from tracemypods.kit import mongo
from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.tasks import end
from tracemypods.mail.sending import Mailer

_log = logging.getLogger("tracemypods.deliver")

SERVICE = PRODUCER
BODY_LIMIT = 4 * 1024


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application. Raises SettingsError where a key of an edge is missing."""

    def now() -> int:
        return int(clock().timestamp() * 1000)

    client = mongo.connect(settings)
    database = client[settings.mongo_database]
    bucket = Bucket(settings)
    renderer = Rendering(settings.engine, Limits(seconds=settings.render_seconds))
    publisher = Publisher.load(settings, SERVICE)
    jobs, invoices = Jobs(database), Invoices(database)
    files = Files(bucket, settings.s3_bucket, FileIndex(database), now)
    dead_letters = DeadLetters(database, now)
    delivering = Delivering(
        jobs=jobs,
        invoices=invoices,
        numbers=Numbers(database, invoices),
        renderer=renderer,
        files=files,
        mailer=Mailer(settings, clock),
        publisher=publisher,
        series=settings.series,
        now=now,
        banner=settings.banner,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        with suppress(NotRendered):  # it is started again with the first document
            await renderer.start()
        working = asyncio.create_task(
            keep_running("deliveries", lambda: _work(state, invoices, consumer))
        )
        yield
        await end(working)  # first, since it may just be starting the consumer
        await consumer.close()
        await renderer.close()
        await publisher.close()
        bucket.close()
        await client.close()

    app = create_service(
        SERVICE,
        settings,
        routers=[routes.router],
        lifespan=lifespan,
        checks={"mongo": lambda: mongo.ping(client)},
        body_limit=BODY_LIMIT,
    )
    registry = app.state.metrics.registry
    worker = Worker(
        jobs,
        delivering,
        publisher,
        now,
        registry,
        retry=int(settings.retry_seconds * 1000),
        lease=int(settings.lease_seconds * 1000),
    )
    intake = Intake(jobs, now, worker.wake, only_live=settings.only_live)
    consumer = Consumer.load(
        settings,
        ORDERS,
        SERVICE,
        intake.take,
        on_dead=dead_letters.keep,
        metrics=LivenessMetrics(registry),
    )
    state = State(jobs=jobs, worker=worker, files=files, dead_letters=dead_letters, now=now)
    app.state.deliver = state
    return app


async def _work(state: State, invoices: Invoices, consumer: Consumer) -> None:
    """Make the indexes as soon as MongoDB is there, then read events and work at jobs."""
    while True:
        try:
            for store in (state.jobs, invoices, state.files):
                await store.create_indexes()
            break
        except Unavailable as error:
            _log.warning("indexes can't be made", extra={"reason": error.code})
            await asyncio.sleep(1)
    consumer.start()
    await state.worker.keep_working()
