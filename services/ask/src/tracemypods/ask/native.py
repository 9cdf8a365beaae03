"""`POST /api/ask`: an answer, whole or streamed, in this product's own format."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracemypods.ask.answers import Delta, Done, Question
from tracemypods.ask.asking import Reply, begin, stream, whole
from tracemypods.ask.cache.answer_cache import CacheState
from tracemypods.ask.conversation import Message, Role, Text, check
from tracemypods.ask.state import CacheControlDep, CallerDep, NetworkDep, State, StateDep
from tracemypods.ask.streams import compact_json, frame
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.context import request_id
from tracemypods.kit.errors import FieldError, InvalidRequest, Problem, responses

router = APIRouter(tags=["ask"])

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


class AnswerOut(DoneOut):
    """A whole answer."""

    answer: str


def to_question(request: AskRequest, state: State, caller: TokenRecord) -> Question:
    """Check a request against the model that it names.

    Raises ModelNotFound, ModelLocked, InvalidRequest or TooLarge.
    """
    model, entry = state.models.entry(request.model, caller.plan)
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
        model, entry, messages, request.max_tokens or entry.limits.default_answer_tokens, options
    )


STREAM_DOCUMENTATION: dict[int | str, dict[str, Any]] = {
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
    "/api/ask",
    response_model=AnswerOut,
    response_model_exclude_none=True,
    responses={
        **STREAM_DOCUMENTATION,
        **responses(400, 401, 403, 404, 409, 413, 422, 429, 502, 503, 504),
    },
)
async def ask(
    request: Request,
    response: Response,
    body: AskRequest,
    state: StateDep,
    caller: CallerDep,
    network: NetworkDep,
    control: CacheControlDep,
) -> Response | AnswerOut:
    """Answer a question, whole or as a stream of events."""
    reply = await begin(state, to_question(body, state, caller), caller, network, control)
    if body.stream:
        return stream(state, caller, reply, event_frames(reply), error_frame, reply.headers)
    response.headers.update(reply.headers)
    return await whole(request, state, caller, reply, whole_answer(reply))


async def whole_answer(reply: Reply) -> AnswerOut:
    """Collect an answer. Raises the Problem that it ends with."""
    text: list[str] = []
    async with aclosing(reply.events) as events:
        async for event in events:
            match event:
                case Delta():
                    text.append(event.text)
                case Done():
                    done = done_fields(reply, event).model_dump()
                    return AnswerOut(answer="".join(text), **done)
    raise AssertionError("an answer ends with Done or raises")


async def event_frames(reply: Reply) -> AsyncGenerator[bytes]:
    """The events of an answer as server-sent events; a Problem becomes the last of them."""
    waiting: dict[str, Any] = {"state": "waiting"}
    if reply.dropped_messages:
        waiting["dropped_messages"] = reply.dropped_messages
    try:
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
                        yield frame(
                            done_fields(reply, event).model_dump_json(exclude_none=True), "done"
                        )
    except Problem as problem:
        yield error_frame(problem)


def done_fields(reply: Reply, event: Done) -> DoneOut:
    """What is said at the end of an answer."""
    usage = event.usage
    return DoneOut(
        model=reply.model,
        finish_reason=event.finish_reason,
        dropped_messages=reply.dropped_messages,
        usage=UsageOut(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        ),
        cache=CacheOut(state=reply.cache.state, age=reply.cache.age),
        request_id=request_id(),
    )


def error_frame(problem: Problem) -> bytes:
    """A problem as the last event of a stream."""
    return frame(problem.document().model_dump_json(exclude_none=True), "error")
