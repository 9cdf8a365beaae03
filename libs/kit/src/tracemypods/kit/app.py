"""One call that makes a service's application: routes, errors, health, middleware, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from tracemypods.kit import telemetry
from tracemypods.kit.access_log import AccessLog
from tracemypods.kit.errors import answer_problem
from tracemypods.kit.health import Check, health_router
from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.metrics import Metrics, metrics_router
from tracemypods.kit.middleware import BodyLimit, RequestContext
from tracemypods.kit.pacing import Pace
from tracemypods.kit.settings import ServiceSettings

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Draining:
    """Tells long answers that the service was asked to stop."""

    def __init__(self) -> None:
        self.begun = False
        self._future: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Start to drain: not ready any more, open streams get their last event."""
        self.begun = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def future(self) -> asyncio.Future[None]:
        """Done when the service is asked to stop; the same for all, so nobody may cancel it."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            if self.begun:
                self._future.set_result(None)
        return self._future


_OF_A_BODY = (b"content-length", b"transfer-encoding")


@dataclass(frozen=True)
class PlainRoute:
    """A route that is plain ASGI, with all that stands around it."""

    path: str
    app: ASGIApp
    takes_body: bool


class Service(FastAPI):
    """A FastAPI application, some of whose routes are plain ASGI.

    FastAPI's way to a route (its middleware, routing, dependencies, response models) costs several
    times what the hot routes do, so these stand before all that. FastAPI has a route at the same
    place, which describes them in the OpenAPI document.
    """

    def set_up(
        self, metrics: Metrics, headers: Mapping[str, str], access_log: AccessLog, body_limit: int
    ) -> None:
        """Take what all requests need. Called once, by create_service."""
        refusals = Pace()
        self._context = (headers, metrics, access_log, refusals)
        self._body_limit = body_limit
        self._plain: dict[tuple[str, str], PlainRoute] = {}
        self.add_middleware(BodyLimit, limit=body_limit)
        self.add_middleware(
            RequestContext,
            security_headers=headers,
            metrics=metrics,
            access_log=access_log,
            refusals=refusals,
        )

    def make_plain(self, method: str, path: str, plain: ASGIApp, *, takes_body: bool) -> None:
        """Let `plain` answer what FastAPI's route of this method and path only describes.

        It stands within RequestContext, BodyLimit and a span, and answers Problems itself. One that
        takes no body leaves requests that have one to FastAPI's route.
        """
        app: ASGIApp = BodyLimit(plain, self._body_limit) if takes_body else plain
        app = telemetry.traced(RequestContext(app, *self._context), method, path)
        self._plain[method, path] = PlainRoute(path, app, takes_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            route = self._plain.get((scope["method"], scope["path"]))
            if route is not None and (
                route.takes_body or not any(name in _OF_A_BODY for name, _ in scope["headers"])
            ):
                scope["route"] = route
                await route.app(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_service(
    name: str,
    settings: ServiceSettings,
    *,
    routers: Sequence[APIRouter] = (),
    mounts: Mapping[str, ASGIApp] | None = None,
    lifespan: Lifespan | None = None,
    checks: Mapping[str, Check] | None = None,
    body_limit: int = 64 * 1024,
    headers: Mapping[str, str] | None = None,
) -> Service:
    """Make the application of one service.

    `name` is its name in fleet.toml, `checks` are the dependencies that `/readyz` asks,
    `body_limit` is in bytes, `headers` are added to (and win over) SECURITY_HEADERS. The
    application's `state.draining` is a Draining, its `state.metrics` a Metrics. Raises
    SettingsError for an edge key that is too short.
    """
    options: dict[str, Any] = {"lifespan": lifespan} if lifespan else {}
    app = Service(
        title=f"TraceMyPods {name}",
        version=version(f"tracemypods-{name}"),
        docs_url=None,
        redoc_url=None,
        # kit.telemetry traces, and kit.metrics counts.
        telemetry={"tracing": False, "metrics": False},
        exception_handlers={
            HTTPException: answer_problem,
            RequestValidationError: answer_problem,
        },
        **options,
    )
    draining = Draining()
    metrics = Metrics(name)
    app.state.metrics = metrics
    app.state.edge_keys = EdgeKeys.load(name)
    app.state.draining = draining
    app.include_router(health_router(name, settings.mode, checks or {}, lambda: draining.begun))
    app.include_router(metrics_router(metrics))
    for router in routers:
        app.include_router(router)
    for path, mounted in (mounts or {}).items():
        app.mount(path, mounted)
    app.set_up(metrics, {**SECURITY_HEADERS, **(headers or {})}, AccessLog(name), body_limit)
    app.state.end_telemetry = telemetry.set_up(app, name, settings.mode)
    return app
