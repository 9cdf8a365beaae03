"""The routes that any OpenAI client can use, with a TraceMyPods token as its key."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.asking import begin, stream, whole
from tracemypods.ask.completions import Usage
from tracemypods.ask.conversation import check
from tracemypods.ask.openai_api.errors import error_object
from tracemypods.ask.openai_api.wire import ChatRequest, refused
from tracemypods.ask.state import CacheControlDep, CallerDep, NetworkDep, State, StateDep
from tracemypods.ask.streams import compact_json, frame
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.context import request_id
from tracemypods.kit.errors import Problem

router = APIRouter(prefix="/v1", tags=["openai"])

DROPPED_MESSAGES = "X-Dropped-Messages"
"""Response header: how many of the oldest messages did not fit the model's context."""


class OpenAIFormat:
    """Builds OpenAI's objects for one answer."""

    def __init__(self, model: str, *, include_usage: bool) -> None:
        self._common = {
            "id": f"chatcmpl-{request_id().removeprefix('req_')}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": None,
        }
        self._include_usage = include_usage

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        """A part of a streamed answer."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._frame([choice], None)

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last chunk of a stream that asked for its usage."""
        return self._frame([], _usage(usage))

    def _frame(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
        body = {**self._common, "object": "chat.completion.chunk", "choices": choices}
        if self._include_usage:
            body["usage"] = usage
        return frame(compact_json(body))

    def whole(self, text: str, done: Done) -> dict[str, Any]:
        """A whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": done.finish_reason,
        }
        return {
            **self._common,
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(done.usage),
        }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def to_question(request: ChatRequest, state: State, caller: TokenRecord) -> Question:
    """Check a request against the model that it names.

    Raises ModelNotFound, ModelLocked, InvalidRequest or TooLarge.
    """
    request.refuse_unsupported()
    model, entry = state.models.entry(request.model, caller.plan)
    messages = request.conversation()
    check(messages, "messages")
    limit = entry.limits.max_answer_tokens
    for field in ("max_completion_tokens", "max_tokens"):
        if (getattr(request, field) or 0) > limit:
            raise refused(field, f"{field}: this model's answers have at most {limit} tokens.")
    answer_tokens = request.max_completion_tokens or request.max_tokens
    return Question(
        model,
        entry,
        messages,
        answer_tokens or entry.limits.default_answer_tokens,
        request.sampling_options(),
    )


@router.post("/chat/completions", response_model=None)
async def chat_completions(
    request: Request,
    body: ChatRequest,
    state: StateDep,
    caller: CallerDep,
    network: NetworkDep,
    control: CacheControlDep,
) -> Response:
    """Answer a conversation, whole or as a stream of chunks."""
    reply = await begin(state, to_question(body, state, caller), caller, network, control)
    include_usage = body.stream_options is not None and body.stream_options.include_usage
    wire = OpenAIFormat(reply.model, include_usage=include_usage)
    headers = {**reply.headers}
    if reply.dropped_messages:
        headers[DROPPED_MESSAGES] = str(reply.dropped_messages)
    if body.stream:
        frames = chunk_frames(wire, reply.events, include_usage=include_usage)
        return stream(state, caller, reply, frames, error_frame, headers)
    answer = await whole(request, state, caller, reply, whole_answer(wire, reply.events))
    return JSONResponse(answer, headers=headers)


async def whole_answer(wire: OpenAIFormat, events: AsyncGenerator[Event]) -> dict[str, Any]:
    """Collect an answer. Raises the Problem that it ends with."""
    text: list[str] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return wire.whole("".join(text), event)
            text.append(event.text)
    raise AssertionError("an answer ends with Done or raises")


async def chunk_frames(
    wire: OpenAIFormat, events: AsyncGenerator[Event], *, include_usage: bool
) -> AsyncGenerator[bytes]:
    """The chunks of an answer; a Problem ends them, without the closing [DONE]."""
    yield wire.chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Delta():
                        yield wire.chunk({"content": event.text})
                    case Done():
                        yield wire.chunk({}, event.finish_reason)
                        if include_usage:
                            yield wire.usage_chunk(event.usage)
    except Problem as problem:
        yield error_frame(problem)
    else:
        yield frame("[DONE]")


def error_frame(problem: Problem) -> bytes:
    """A problem as the last event of a stream."""
    return frame(compact_json(error_object(problem)))


@router.get("/models")
async def list_models(state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """List the models that the caller may use and that are not known to be missing."""
    names = state.catalogue.names_for(caller.plan)
    return {
        "object": "list",
        "data": [
            model_object(name)
            for name in names
            if await state.models.status(name) != "not_installed"
        ],
    }


@router.get("/models/{name}")
async def show_model(name: str, state: StateDep, caller: CallerDep) -> dict[str, Any]:
    """Show one model. Raises ModelNotFound, or ModelLocked for one that the caller may not use."""
    known, _ = state.models.entry(name, caller.plan)
    return model_object(known)


def model_object(name: str) -> dict[str, Any]:
    """A model as OpenAI lists it. When its weights were made is not known here, hence 0."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "tracemypods"}
