"""The captured mail's application: SMTP beside HTTP, over one store."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.local.sandboxes.mail import pages, routes
from tracemypods.local.sandboxes.mail.fault_routes import fault_router
from tracemypods.local.sandboxes.mail.faults import Faults
from tracemypods.local.sandboxes.mail.settings import Settings
from tracemypods.local.sandboxes.mail.smtp import Capture, SmtpServer
from tracemypods.local.sandboxes.mail.store import MailStore

HEADERS = {
    "Content-Security-Policy": pages.POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application. Its `state.smtp` listens while it is served."""
    store = MailStore(
        settings.data_dir,
        clock,
        kept_messages=settings.kept_messages,
        kept_bytes=settings.kept_bytes,
    )
    faults = Faults()
    smtp = SmtpServer(
        Capture(store, faults), settings.host, settings.smtp_port, settings.message_bytes
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await store.open()
        await smtp.start()
        yield
        await smtp.stop()
        await store.close()

    # Sandboxes are parts of this package, which has the version that they show.
    app = create_service(
        "local",
        settings,
        routers=[routes.router, fault_router(faults, settings.key), pages.page_router()],
        lifespan=lifespan,
        checks={"smtp": smtp.check, "store": store.ping},
        headers=HEADERS,
    )
    app.state.mail_store = store
    app.state.smtp = smtp
    return app
