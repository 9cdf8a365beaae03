"""`POST /api/ask`: an answer, whole or streamed, in this product's own format."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from tracemypods.ask.answers import Delta, Done, Question
from tracemypods.ask.asking import Reply
from tracemypods.ask.cache.answer_cache import CacheState
from tracemypods.ask.conversation import Message, Role, Text, check
from tracemypods.ask.state import State
from tracemypods.ask.streams import compact_json, frame
from tracemypods.contracts.tokens import Plan
from tracemypods.kit.context import request_id
from tracemypods.kit.errors import FieldError, InvalidRequest, Problem, responses
from tracemypods.kit.telemetry import trace_id

router = APIRouter(tags=["ask"])

PATH = "/api/ask"
MOST_MESSAGES = 500


class Strict(BaseModel):
    """Refuses unknown fields, so that a misspelt option is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class MessageIn(Strict):
    """One turn of the conversation."""

    role: Role
    content: Text


class AskRequest(Strict):
    """A question: either a `prompt`, or `messages` that end with the question."""

    prompt: Text | None = None
    messages: Annotated[list[MessageIn], Field(max_length=MOST_MESSAGES)] | None = None
    model: str | None = Field(None, max_length=200, description="The default one when left out")
    stream: bool = False
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, description="The longest answer, in tokens")

    @model_validator(mode="after")
    def _one_of_both(self) -> AskRequest:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("send either prompt or messages")
        return self


class UsageOut(BaseModel):
    """Tokens, as the model server counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CacheOut(BaseModel):
    """Where the answer came from, and its age in seconds if that was the cache."""

    state: CacheState
    age: int | None = None
    similarity: float | None = Field(
        None, description="Of a `semantic` answer: the cosine of both questions"
    )
    shared: bool | None = Field(
        None, description="Whether it was an operator who approved it, for everybody"
    )
    question: str | None = Field(
        None,
        description="The question that it was the answer to; not of a shared answer, unless in an "
        "operator's words",
    )
    entry: str | None = Field(
        None, description="Its id; `POST /api/wrong-answer` says that it is wrong"
    )


class DoneOut(BaseModel):
    """What is known once an answer is complete."""

    model: str
    finish_reason: str = Field(description="`stop`, or `length` for an answer cut at its limit")
    dropped_messages: int = Field(
        description="How many of the oldest messages did not fit the model's context"
    )
    usage: UsageOut
    cache: CacheOut
    request_id: str
    trace_id: str | None = Field(None, description="The trace of this request, if it is recorded")


class AnswerOut(DoneOut):
    """A whole answer."""

    answer: str


class NativeWire:
    """This product's own format."""

    request = AskRequest

    def question(self, request: AskRequest, state: State, plan: Plan) -> Question:
        """Check a request against the model that it names.

        Raises ModelNotFound, ModelLocked, InvalidRequest or TooLarge.
        """
        model, entry = state.models.entry(request.model, plan)
        if request.prompt is not None:
            messages = [Message("user", request.prompt)]
            check(messages, "prompt")
        else:
            messages = [Message(one.role, one.content) for one in request.messages or []]
            check(messages, "messages")
        limit = entry.limits.max_answer_tokens
        if request.max_tokens is not None and request.max_tokens > limit:
            text = f"this model's answers have at most {limit} tokens"
            raise InvalidRequest(
                f"The request is not valid: max_tokens: {text}.",
                errors=[FieldError(field="max_tokens", message=text)],
            )
        options: dict[str, Any] = {}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        return Question(
            model,
            entry,
            messages,
            request.max_tokens or entry.limits.default_answer_tokens,
            options,
        )

    def streams(self, request: AskRequest) -> bool:
        """Whether the answer is to be streamed."""
        return request.stream

    def headers(self, reply: Reply) -> Mapping[str, str]:
        """The headers of a response, streamed or not."""
        return reply.headers

    def whole(self, reply: Reply, text: str, done: Done) -> dict[str, Any]:
        """A whole answer as a JSON object."""
        return {"answer": text, **done_fields(reply, done)}

    async def frames(self, reply: Reply, request: AskRequest) -> AsyncGenerator[bytes]:  # noqa: ARG002
        """The events of an answer as server-sent events; a Problem becomes the last of them."""
        waiting: dict[str, Any] = {"state": "waiting"}
        if reply.dropped_messages:
            waiting["dropped_messages"] = reply.dropped_messages
        try:
            if reply.turn is not None and not reply.cache.standby:
                async with aclosing(reply.turn.positions()) as positions:
                    async for position in positions:
                        queued = {"state": "queued", "position": position}
                        yield frame(compact_json(queued), "status")
            yield frame(compact_json(waiting), "status")
            async with aclosing(reply.events) as events:
                async for event in events:
                    match event:
                        case Delta():
                            yield frame(compact_json({"text": event.text}), "delta")
                        case Done():
                            yield frame(compact_json(done_fields(reply, event)), "done")
        except Problem as problem:
            yield self.last_frame(problem)

    def last_frame(self, problem: Problem) -> bytes:
        """A problem as the last event of a stream."""
        return frame(problem.response().body, "error")

    def error(self, problem: Problem) -> Response:
        """A problem as the whole response."""
        return problem.response()


def done_fields(reply: Reply, event: Done) -> dict[str, Any]:
    """What is said at the end of an answer: the fields of DoneOut."""
    usage = event.usage
    cache: dict[str, Any] = {"state": reply.cache.state}
    if reply.cache.age is not None:
        cache["age"] = reply.cache.age
    if reply.cache.similarity is not None:
        cache["similarity"] = round(reply.cache.similarity, 3)
        cache |= {"entry": reply.cache.entry, "shared": reply.cache.shared}
        if reply.cache.question is not None:
            cache["question"] = reply.cache.question
    done: dict[str, Any] = {
        "model": reply.model,
        "finish_reason": event.finish_reason,
        "dropped_messages": reply.dropped_messages,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
        "cache": cache,
        "request_id": request_id(),
    }
    if (trace := trace_id()) is not None:
        done["trace_id"] = trace
    return done


_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": AnswerOut,
        "description": "The answer; with `stream` true, server-sent events: `status` "
        '`{"state":"queued","position"}` whenever the place in the queue changes, then '
        '`{"state":"waiting"}` (with `dropped_messages` where some did not fit), `delta` '
        '`{"text"}`, and at the end `done` (the fields of the whole answer, less the text) or '
        "`error` (a problem document)",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


@router.post(
    PATH,
    response_model=AnswerOut,
    response_model_exclude_none=True,
    responses={
        **_STREAMED,
        **responses(400, 401, 403, 404, 409, 413, 415, 422, 429, 502, 503, 504),
    },
)
async def ask(
    body: AskRequest,
    authorization: Annotated[str | None, Header()] = None,
    cache_control: Annotated[str | None, Header()] = None,
) -> AnswerOut:
    """Answer a question, whole or as a stream of events."""
    # This describes the route in the OpenAPI document; requests go to PlainRoute, before FastAPI.
    del body, authorization, cache_control
    raise AssertionError("PlainRoute takes all requests of this route")
