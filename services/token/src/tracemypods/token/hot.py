"""The token check, `GET /api/token`, as plain ASGI: one round trip to Redis and little else.

It is the route that is called most. FastAPI's way to it (middleware, routing, dependencies, the
response model, a log record) costs several times what the check itself does, so this stands before
all that. It answers as routes.show_token does, which describes it in the OpenAPI document and still
takes what is unusual (a request with a body); test_hot.py holds the two to the same answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Receive, Scope, Send

from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.contracts.tokens import (
    NO_RECORD,
    Plan,
    TokenKeys,
    TokenRecord,
    bearer_token,
    lookup_keys,
    valid_record,
)
from tracemypods.kit import deadlines
from tracemypods.kit.clock import Clock
from tracemypods.kit.context import set_request_id
from tracemypods.kit.errors import as_problem
from tracemypods.kit.log import JsonFormatter
from tracemypods.kit.metrics import Metrics
from tracemypods.kit.redis import store_failures
from tracemypods.token.routes import Limits, limits
from tracemypods.token.state import State

PATH = "/api/token"

_log = logging.getLogger("tracemypods.request")
_ACCEPTED_ID = re.compile(rb"req_[0-9a-f]{32}")
_DEADLINE = deadlines.HEADER.lower().encode()
_NO_RECORD = NO_RECORD.encode()

# Of routes.TokenInfo, what differs from token to token; _Rest is what does not.
_SHOWN = {"plan", "issued_at", "expires_at"}

_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z"
_USUAL_RECORD = re.compile(
    rb'\{"id":"[a-z0-9_]+",(?P<shown>"plan":"(?P<plan>free|premium)",'
    rb'"issued_at":"' + _TIME + rb'","expires_at":"(?P<expires_at>' + _TIME + rb')")\}'
)
_PLANS: dict[bytes, Plan] = {b"free": "free", b"premium": "premium"}


class _Rest(BaseModel):
    models: list[str]
    limits: Limits


class HotTokenCheck:
    """ASGI middleware that answers the token check and passes on everything else.

    It stands outside of the application's other middleware, so it does their part too: request
    id, `headers` on every answer, metrics, access log, and 500 for what nobody foresaw.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: State,
        keys: TokenKeys,
        clock: Clock,
        redis: CoalescingRedis,
        metrics: Metrics,
        headers: Mapping[str, str],
    ) -> None:
        self._app = app
        self._state = state
        self._keys = keys
        self._clock = clock
        self._redis = redis
        self._metrics = metrics
        self._headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ]
        plans: tuple[Plan, ...] = ("free", "premium")
        self._tails = {plan: self._tail(plan) for plan in plans}
        self._access_log = AccessLog("token")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        authorization = given_id = time_left = None
        for name, value in reversed(scope["headers"]):  # of several of a name, the first counts
            if name == b"authorization":
                authorization = value
            elif name == b"x-request-id":
                given_id = value
            elif name == _DEADLINE:
                time_left = value
            elif name in (b"content-length", b"transfer-encoding"):
                await self._app(scope, receive, send)
                return
        if given_id is not None and _ACCEPTED_ID.fullmatch(given_id):
            identifier = given_id.decode()
        else:
            identifier = _new_request_id()
        if time_left is not None:
            deadlines.set_time_left(time_left.decode("latin-1"))
        self._metrics.in_flight.inc()
        started = time.perf_counter()
        status = 200
        headers: list[tuple[bytes, bytes]]
        try:
            try:
                body = await self._answer(authorization, identifier)
                headers = [
                    (b"content-length", b"%d" % len(body)),
                    (b"content-type", b"application/json"),
                ]
            except Exception as error:  # noqa: BLE001 - the outermost edge, which logs and answers
                set_request_id(identifier)
                problem = as_problem(error)
                if problem is not error:
                    _log.exception("unhandled error")
                    self._metrics.unhandled.inc()
                response = problem.response()
                status, body, headers = problem.status, bytes(response.body), response.raw_headers
            headers += [(b"x-request-id", identifier.encode()), *self._headers]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            seconds = time.perf_counter() - started
            self._metrics.in_flight.dec()
            self._metrics.observe("GET", PATH, status, seconds)
            self._access_log.write(identifier, status, seconds)

    async def _answer(self, authorization: bytes | None, identifier: str) -> bytes:
        """The body for the token in a header. Raises TokenError and Unavailable.

        The request's id is bound only where something may be logged or called: that costs as much
        as the hash of the token.
        """
        token = bearer_token(None if authorization is None else authorization.decode("latin-1"))
        plan = self._keys.check_form(token)
        hashes = self._keys.hashes(token)
        try:
            stored = await self._redis.execute("MGET", *lookup_keys(hashes))
        except RedisError:
            set_request_id(identifier)
            with store_failures("token_store_unavailable", "The token store"):
                raise
        first = stored[0]
        if (
            first is None
            or first == _NO_RECORD
            or any(one is not None for one in stored[len(hashes) :])
        ):
            set_request_id(identifier)
            record = await self._state.lookup.decide(plan, hashes, stored)
        else:
            usual = _USUAL_RECORD.fullmatch(first)
            if usual and datetime.fromisoformat(usual["expires_at"].decode()) > self._clock():
                # As this service writes it, so what is shown of it is shown as it stands there.
                return b"{" + usual["shown"] + self._tails[_PLANS[usual["plan"]]]
            record = valid_record(TokenRecord.model_validate_json(first), self._clock())
        return record.model_dump_json(include=_SHOWN).encode()[:-1] + self._tails[record.plan]

    def _tail(self, plan: Plan) -> bytes:
        """What the answer says after the record's own fields; the same for all of a plan."""
        shown = _Rest(models=self._state.catalogue.names_for(plan), limits=limits(self._state))
        return b"," + shown.model_dump_json().encode().removeprefix(b"{")


class AccessLog:
    """Writes the access log: the lines of one event-loop turn leave as one write.

    The line is the one that kit.log's formatter makes of RequestContext's record, put together here
    since making and formatting a record takes longer than the check. Where somebody else's handler
    listens, it gets its record.
    """

    def __init__(self, service: str) -> None:
        self._service = json.dumps(service)
        self._lines: list[str] = []
        self._time = ""

    def write(self, identifier: str, status: int, seconds: float) -> None:
        """Write one request's line, at the end of this turn at the latest."""
        if not _log.isEnabledFor(logging.INFO):
            return
        milliseconds = round(seconds * 1000, 1)
        if _our_handler() is None:
            fields = {"method": "GET", "path": PATH, "status": status, "milliseconds": milliseconds}
            _log.info("request", extra=fields)
            return
        if not self._lines:
            self._time = datetime.now(UTC).isoformat(timespec="milliseconds")
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(
            f'{{"time": "{self._time}", "level": "info", "service": {self._service}, '
            f'"logger": "{_log.name}", "message": "request", "request_id": "{identifier}", '
            f'"method": "GET", "path": "{PATH}", "status": {status}, '
            f'"milliseconds": {milliseconds}}}\n'
        )

    def _flush(self) -> None:
        lines, self._lines = "".join(self._lines), []
        if (handler := _our_handler()) is not None:
            handler.acquire()
            try:
                handler.stream.write(lines)
                handler.flush()
            finally:
                handler.release()


def _our_handler() -> logging.StreamHandler[TextIO] | None:
    """The handler that kit.log.configure sets up, if it alone would get the record as it is."""
    handlers = logging.root.handlers
    if len(handlers) != 1 or _log.handlers or _log.filters or not _log.propagate:
        return None
    handler = handlers[0]
    if (
        isinstance(handler, logging.StreamHandler)
        and type(handler.formatter) is JsonFormatter
        and handler.level <= logging.INFO
        and not handler.filters
    ):
        return handler
    return None


def _new_request_id() -> str:
    """An id as kit.ids.new_id makes it, in a third of the time: this one need not be a secret."""
    milliseconds = time.time_ns() // 1_000_000
    number = random.getrandbits(74)
    return f"req_{milliseconds:012x}7{number >> 62:03x}{0x8 << 60 | number & (1 << 62) - 1:016x}"
