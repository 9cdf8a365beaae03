"""The Razorpay sandbox's application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tracemypods.kit.app import create_service
from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.errors import answer_problem
from tracemypods.local.sandboxes.razorpay import api, checkout, control
from tracemypods.local.sandboxes.razorpay.errors import ApiError, answer_api_error, not_found
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.sandboxes.razorpay.state import State

PACKAGE = "local"
"""The package that the sandbox is a part of, whose version it has."""


def create_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """Make the application. `settings` refuse `production` and keys that are none of the test mode.

    Raises OSError or sqlite3.Error when its folder cannot hold a database.
    """
    state = State(settings, clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await state.start()
        yield
        await state.stop()

    app = create_service(
        PACKAGE,
        settings,
        # The files first: `/v1/checkout.js` is no call of the API.
        routers=[checkout.router, api.router, control.router],
        lifespan=lifespan,
        checks={"database": state.check},
        headers=checkout.page_headers(settings.site_origins),
    )
    app.title = "Razorpay sandbox"
    app.state.razorpay = state
    app.add_exception_handler(ApiError, answer_api_error)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, answer_problem)
    return app


async def _answer(request: Request, error: Exception) -> Response:
    """Problems, but for paths of the API that there are none of."""
    if request.url.path.startswith("/v1/") and isinstance(error, HTTPException):
        if error.status_code in (404, 405):
            return not_found().response()
        if error.status_code == 413:
            return ApiError(str(error.detail), status=413).response()
    return await answer_problem(request, error)
