"""`POST /api/ask`: an answer, whole or streamed, in this product's own format."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.conversation import Message, Role, Text, check
from tracemypods.ask.state import CallerDep, State, StateDep
from tracemypods.ask.streams import Departure, EventStream, Stopping, compact_json, frame
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
    """Where the answer came from. There is no answer cache yet: every answer is made afresh."""

    state: Literal["bypass"] = "bypass"


class DoneOut(BaseModel):
    """What is known once an answer is complete."""

    model: str
    finish_reason: str = Field(description="`stop`, or `length` for an answer cut at its limit")
    dropped_messages: int = Field(
        description="How many of the oldest messages did not fit the model's context"
    )
    usage: UsageOut
    cache: CacheOut = CacheOut()
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
        '`{"state":"waiting"}` (with `dropped_messages` where some did not fit), `delta` '
        '`{"text"}`, and at the end `done` (the fields of the whole answer, less the text) or '
        "`error` (a problem document)",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


@router.post(
    "/api/ask",
    response_model=AnswerOut,
    responses={
        **STREAM_DOCUMENTATION,
        **responses(400, 401, 404, 409, 413, 422, 502, 503, 504),
    },
)
async def ask(
    request: Request, body: AskRequest, state: StateDep, caller: CallerDep
) -> Response | AnswerOut:
    """Answer a question, whole or as a stream of events."""
    question = to_question(body, state, caller)
    await state.models.require(question.model)
    fitted = await state.answerer.fit(question)
    events = state.answerer.answer(question, fitted)
    if body.stream:
        return EventStream(
            event_frames(question.model, fitted.dropped, events),
            draining=state.draining,
            grace=state.grace_seconds,
            heartbeat=state.settings.heartbeat_seconds,
            last_frame=error_frame,
        )
    departure = Departure(request.receive, state.draining, state.grace_seconds)
    return await departure.limit(whole_answer(question.model, fitted.dropped, events))


async def whole_answer(model: str, dropped: int, events: AsyncGenerator[Event]) -> AnswerOut:
    """Collect an answer. Raises the Problem that it ends with."""
    text: list[str] = []
    async with aclosing(events):
        async for event in events:
            match event:
                case Delta():
                    text.append(event.text)
                case Done():
                    done = done_fields(model, dropped, event).model_dump()
                    return AnswerOut(answer="".join(text), **done)
    raise AssertionError("an answer ends with Done or raises")


async def event_frames(
    model: str, dropped: int, events: AsyncGenerator[Event]
) -> AsyncGenerator[bytes]:
    """The events of an answer as server-sent events; a Problem becomes the last of them."""
    waiting = {"state": "waiting", **({"dropped_messages": dropped} if dropped else {})}
    yield frame(compact_json(waiting), "status")
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Delta():
                        yield frame(compact_json({"text": event.text}), "delta")
                    case Done():
                        yield frame(done_fields(model, dropped, event).model_dump_json(), "done")
    except Problem as problem:
        yield error_frame(problem)


def done_fields(model: str, dropped: int, event: Done) -> DoneOut:
    """What is said at the end of an answer."""
    usage = event.usage
    return DoneOut(
        model=model,
        finish_reason=event.finish_reason,
        dropped_messages=dropped,
        usage=UsageOut(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
        ),
        request_id=request_id(),
    )


def error_frame(problem: Problem | Stopping) -> bytes:
    """A problem as the last event of a stream."""
    return frame(problem.document().model_dump_json(exclude_none=True), "error")
