"""The two routes that answer questions, as plain ASGI: a kept answer costs little but its look-up.

FastAPI's way to a route would cost several times that. What differs between the routes is how
requests and answers look: their Wire.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracemypods.ask.answers import Done, Question
from tracemypods.ask.asking import Asked, Reply, begin, stream, whole
from tracemypods.ask.cache.keys import CacheControl
from tracemypods.ask.semantic.searchable import searchable
from tracemypods.ask.state import State
from tracemypods.ask.streams import CallerLeft, compact_json
from tracemypods.contracts.tokens import Plan
from tracemypods.kit.addresses import client_network
from tracemypods.kit.errors import Problem, as_problem

RequestT = TypeVar("RequestT", bound=BaseModel)

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for callers who left; it shows in the log only."""

NETWORKS_KEPT = 4096
BODIES_KEPT = 1024
BODY_KEPT_BYTES = 2048


class Wire(Protocol[RequestT]):
    """How requests and answers look."""

    request: type[RequestT]

    def question(self, request: RequestT, state: State, plan: Plan) -> Question:
        """Check a request against the model that it names. Raises a Problem."""
        ...

    def streams(self, request: RequestT) -> bool:
        """Whether the answer is to be streamed."""
        ...

    def whole(self, reply: Reply, text: str, done: Done) -> Mapping[str, Any]:
        """A whole answer as a JSON object."""
        ...

    def frames(self, reply: Reply, request: RequestT) -> AsyncGenerator[bytes]:
        """The events of an answer as server-sent events; a Problem becomes the last of them."""
        ...

    def last_frame(self, problem: Problem) -> bytes:
        """A problem as the last event of a stream."""
        ...

    def headers(self, reply: Reply) -> Mapping[str, str]:
        """The headers of a response, streamed or not."""
        ...

    def error(self, problem: Problem) -> Response:
        """A problem as the whole response."""
        ...


@dataclass(frozen=True)
class ReadBody(Generic[RequestT]):
    """What a body says, and asks."""

    request: RequestT
    asked: Asked


class PlainRoute(Generic[RequestT]):
    """A route, as a plain ASGI application.

    What a short body asks is remembered for a while, as what repeats is what is asked again. So are
    the networks of clients: both take longer than finding a kept answer in Redis.
    """

    def __init__(self, state: State, wire: Wire[RequestT]) -> None:
        self._state = state
        self._wire = wire
        ours = state.settings.trusted_proxies
        self._network = lru_cache(NETWORKS_KEPT)(
            lambda peer, forwarded: client_network(peer, forwarded, ours)
        )
        self._read_before = lru_cache(BODIES_KEPT)(self._read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except CallerLeft:
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except (HTTPException, RequestValidationError) as error:
            await self._wire.error(as_problem(error))(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = control = kind = None
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                first = value.decode("latin-1")
                authorization = first if authorization is None else authorization
            elif name == b"cache-control":
                control = value.decode("latin-1") if control is None else control
            elif name == b"content-type":
                kind = value
            elif name == b"x-forwarded-for":
                forwarded.append(value.decode("latin-1"))
        state, wire = self._state, self._wire
        credential = state.callers.credential(authorization)
        try:
            _check_kind(kind)
            body = await _body(receive)
            read = self._read_before if len(body) <= BODY_KEPT_BYTES else self._read
            said = read(body, credential.plan)
        except (HTTPException, RequestValidationError):
            # Nobody learns about models and limits with a token that holds no more.
            await state.callers.recognise(credential)
            raise
        peer = scope["client"][0] if scope.get("client") else ""
        network = self._network(peer, ", ".join(forwarded))
        wanted = said.asked.wanted.limited(CacheControl.parse(control))
        reply = await begin(state, replace(said.asked, wanted=wanted), credential, network)
        headers = wire.headers(reply)
        if wire.streams(said.request):
            frames = wire.frames(reply, said.request)
            if reply.kept is None:
                await stream(state, reply, frames, wire.last_frame, headers)(scope, receive, send)
            else:
                whole_stream = b"".join([frame async for frame in frames])
                await _send(send, whole_stream, b"text/event-stream; charset=utf-8", headers)
            return
        if reply.kept is None:
            text, done = await whole(receive, state, reply)
        else:
            text, done = reply.kept.text, reply.kept.done()
        answer = compact_json(wire.whole(reply, text, done))
        await _send(send, answer, b"application/json", headers)

    def _read(self, body: bytes, plan: Plan) -> ReadBody[RequestT]:
        """Read a body and check it. Raises Problem or RequestValidationError."""
        request = _parse(self._wire.request, body)
        question = self._wire.question(request, self._state, plan)
        wanted = self._state.cache.wanted(question)
        may_be_searched = wanted.digest is not None and self._state.semantic is not None
        found = searchable(question) if may_be_searched else None
        return ReadBody(request, Asked(question, wanted, found))


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises CallerLeft."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _parse(model: type[RequestT], body: bytes) -> RequestT:
    """The request in a body. Raises Problem, or RequestValidationError as FastAPI does."""
    try:
        return model.model_validate_json(body)
    except ValidationError:
        pass  # Python's own JSON parser is slower and says more precisely what is wrong
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(
            "The body is not valid JSON. Send one JSON object encoded in UTF-8.",
            status=400,
            code="malformed_body",
        ) from None
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from None


def _check_kind(kind: bytes | None) -> None:
    """Refuse what its Content-Type does not call JSON (RFC 6839 for the suffix). Raises Problem."""
    if kind == b"application/json":
        return
    essence = (kind or b"").partition(b";")[0].strip().lower()
    if essence == b"application/json" or (
        essence.startswith(b"application/") and essence.endswith(b"+json")
    ):
        return
    raise Problem(
        "Send the question as JSON, with the header `Content-Type: application/json`.",
        status=415,
        code="unsupported_media_type",
    )


async def _send(send: Send, body: bytes, kind: bytes, headers: Mapping[str, str]) -> None:
    """Answer with a body that is complete."""
    raw = [
        (b"content-length", b"%d" % len(body)),
        (b"content-type", kind),
    ]
    for name, value in headers.items():
        raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": body})
