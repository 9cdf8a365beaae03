"""Plain ASGI middleware that every service runs: request id and access log, body limit."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracemypods.kit import deadlines
from tracemypods.kit.context import set_request_id
from tracemypods.kit.deadlines import set_time_left
from tracemypods.kit.errors import TooLarge, as_problem
from tracemypods.kit.ids import new_id
from tracemypods.kit.metrics import Metrics

_log = logging.getLogger("tracemypods.request")
_ACCEPTED_ID = re.compile(r"req_[0-9a-f]{32}")
_QUIET_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


class RequestContext:
    """Gives each request an id, logs how it ended, and answers 500 where nothing else did."""

    def __init__(self, app: ASGIApp, security_headers: Mapping[str, str], metrics: Metrics) -> None:
        self._app = app
        self._headers = dict(security_headers)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = Headers(scope=scope)
        given = received.get("x-request-id", "")
        identifier = given if _ACCEPTED_ID.fullmatch(given) else new_id("req")
        set_request_id(identifier)
        set_time_left(received.get(deadlines.HEADER))
        self._metrics.in_flight.inc()
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = identifier
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - the outermost edge, which logs and answers
            _log.exception("unhandled error")
            self._metrics.unhandled.inc()
            if not status:
                await as_problem(error).response()(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.in_flight.dec()
            route = scope.get("route")
            self._metrics.observe(scope["method"], getattr(route, "path", None), status, seconds)
            if scope["path"] not in _QUIET_PATHS:
                _log.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status,
                        "milliseconds": round(seconds * 1000, 1),
                    },
                )


class BodyLimit:
    """Refuses bodies over `limit` bytes with 413, whether announced or merely sent."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = TooLarge(f"The body is larger than {self._limit} bytes.", code="body_too_large")
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            await too_large.response()(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise too_large
            return message

        await self._app(scope, counted, send)
