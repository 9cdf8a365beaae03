"""One call that makes a service's application: routes, errors, health, middleware, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tracemypods.kit import telemetry
from tracemypods.kit.errors import answer_problem
from tracemypods.kit.health import Check, health_router
from tracemypods.kit.internal import EdgeKeys
from tracemypods.kit.metrics import Metrics, metrics_router
from tracemypods.kit.middleware import BodyLimit, RequestContext
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
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Start to drain: not ready any more, open streams get their last event."""
        self._event.set()

    @property
    def begun(self) -> bool:
        """Whether the service was asked to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Return when the service is asked to stop."""
        await self._event.wait()


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
) -> FastAPI:
    """Make the application of one service.

    `name` is its name in fleet.toml, `checks` are the dependencies that `/readyz` asks,
    `body_limit` is in bytes, `headers` are added to (and win over) SECURITY_HEADERS. The
    application's `state.draining` is a Draining, its `state.metrics` a Metrics. Raises
    SettingsError for an edge key that is too short.
    """
    options: dict[str, Any] = {"lifespan": lifespan} if lifespan else {}
    app = FastAPI(
        title=f"TraceMyPods {name}",
        version=version(f"tracemypods-{name}"),
        docs_url=None,
        redoc_url=None,
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
    app.add_middleware(BodyLimit, limit=body_limit)
    app.add_middleware(
        RequestContext,
        security_headers={**SECURITY_HEADERS, **(headers or {})},
        metrics=metrics,
    )
    app.state.end_telemetry = telemetry.set_up(app, name, settings.mode)
    return app
