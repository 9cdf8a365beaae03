"""The token check, `GET /api/token`, as plain ASGI: one round trip to Redis and little else.

It is the route that is called most. FastAPI's way to it (middleware, routing, dependencies, the
response model, a log record) costs several times what the check itself does, so this stands before
all that. It answers as routes.show_token does, which describes it in the OpenAPI document and still
takes what is unusual (a request with a body); test_hot.py holds the two to the same answers.
"""

from __future__ import annotations

import re
from datetime import datetime

from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

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
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Problem
from tracemypods.kit.redis import store_failures
from tracemypods.token.routes import Limits, limits
from tracemypods.token.state import State

PATH = "/api/token"

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
    """The route, as a plain ASGI application."""

    def __init__(
        self, *, state: State, keys: TokenKeys, clock: Clock, redis: CoalescingRedis
    ) -> None:
        self._state = state
        self._keys = keys
        self._clock = clock
        self._redis = redis
        plans: tuple[Plan, ...] = ("free", "premium")
        self._tails = {plan: self._tail(plan) for plan in plans}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
                break
        try:
            body = await self._answer(authorization)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, authorization: str | None) -> bytes:
        """The body for the token in a header. Raises TokenError and Unavailable."""
        token = bearer_token(authorization)
        plan = self._keys.check_form(token)
        hashes = self._keys.hashes(token)
        with store_failures("token_store_unavailable", "The token store"):
            stored = await self._redis.execute("MGET", *lookup_keys(hashes))
        first = stored[0]
        if (
            first is None
            or first == _NO_RECORD
            or any(one is not None for one in stored[len(hashes) :])
        ):
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
