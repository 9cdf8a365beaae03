"""Plain ASGI middleware that every service runs: request id and access log, body limit.

It works on ASGI's raw headers: Starlette's header classes would cost more than the fastest routes.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracemypods.kit import deadlines
from tracemypods.kit.access_log import AccessLog
from tracemypods.kit.context import set_request_id
from tracemypods.kit.errors import TooLarge, as_problem
from tracemypods.kit.ids import new_request_id
from tracemypods.kit.metrics import Metrics
from tracemypods.kit.pacing import Pace

_log = logging.getLogger("tracemypods.request")
_ACCEPTED_ID = re.compile(rb"req_[0-9a-f]{32}")
_DEADLINE = deadlines.HEADER.lower().encode()
UNAUTHORIZED = 401
_QUIET_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


class RequestContext:
    """Gives each request an id, logs how it ended, and answers 500 where nothing else did.

    Refused credentials wait their turn in `refusals`, whichever route refuses them.
    """

    def __init__(
        self,
        app: ASGIApp,
        security_headers: Mapping[str, str],
        metrics: Metrics,
        access_log: AccessLog,
        refusals: Pace,
    ) -> None:
        self._app = app
        self._headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in security_headers.items()
        ]
        self._metrics = metrics
        self._access_log = access_log
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = time_left = None
        for name, value in reversed(scope["headers"]):  # of several of a name, the first counts
            if name == b"x-request-id":
                given = value
            elif name == _DEADLINE:
                time_left = value
        accepted = given is not None and _ACCEPTED_ID.fullmatch(given)
        identifier = given.decode() if given is not None and accepted else new_request_id()
        set_request_id(identifier)
        deadlines.set_time_left(None if time_left is None else time_left.decode("latin-1"))
        self._metrics.in_flight += 1
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == UNAUTHORIZED:
                    await self._refusals.turn()
                headers = [(name, value) for name, value in message.get("headers", ())]
                there = {name for name, _ in headers}
                headers.append((b"x-request-id", identifier.encode()))
                headers += [header for header in self._headers if header[0] not in there]
                message["headers"] = headers
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
            method, path = scope["method"], scope["path"]
            self._metrics.in_flight -= 1
            route = getattr(scope.get("route"), "path", None)
            self._metrics.observe(method, route, status, seconds)
            if path not in _QUIET_PATHS:
                self._access_log.write(identifier, method, path, status, seconds)


class BodyLimit:
    """Refuses bodies over `limit` bytes with 413, whether announced or merely sent."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit:
                await self._too_large().response()(scope, receive, send)
                return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise self._too_large()
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._limit} bytes.", code="body_too_large")
