"""The routes that any OpenAI client can use, with a TraceMyPods token as its key."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response

from tracemypods.ask.answers import Delta, Done, Question
from tracemypods.ask.asking import Reply
from tracemypods.ask.completions import Usage
from tracemypods.ask.conversation import check
from tracemypods.ask.openai_api.errors import error_response
from tracemypods.ask.openai_api.wire import ChatRequest, refused
from tracemypods.ask.state import CallerDep, State, StateDep
from tracemypods.ask.streams import compact_json, frame
from tracemypods.contracts.tokens import Plan
from tracemypods.kit.context import request_id
from tracemypods.kit.errors import Problem

router = APIRouter(prefix="/v1", tags=["openai"])

PATH = "/v1/chat/completions"

DROPPED_MESSAGES = "X-Dropped-Messages"
"""Response header: how many of the oldest messages did not fit the model's context."""


class OpenAIObjects:
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


class OpenAIWire:
    """OpenAI's format."""

    request = ChatRequest

    def question(self, request: ChatRequest, state: State, plan: Plan) -> Question:
        """Check a request against the model that it names.

        Raises ModelNotFound, ModelLocked, InvalidRequest or TooLarge.
        """
        request.refuse_unsupported()
        model, entry = state.models.entry(request.model, plan)
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

    def streams(self, request: ChatRequest) -> bool:
        """Whether the answer is to be streamed."""
        return bool(request.stream)

    def headers(self, reply: Reply) -> Mapping[str, str]:
        """The headers of a response, streamed or not."""
        if not reply.dropped_messages:
            return reply.headers
        return {**reply.headers, DROPPED_MESSAGES: str(reply.dropped_messages)}

    def whole(self, reply: Reply, text: str, done: Done) -> dict[str, Any]:
        """A whole answer as a JSON object."""
        return OpenAIObjects(reply.model, include_usage=True).whole(text, done)

    async def frames(self, reply: Reply, request: ChatRequest) -> AsyncGenerator[bytes]:
        """The chunks of an answer; a Problem ends them, without the closing [DONE]."""
        include_usage = request.stream_options is not None and request.stream_options.include_usage
        objects = OpenAIObjects(reply.model, include_usage=include_usage)
        yield objects.chunk({"role": "assistant", "content": ""})
        try:
            async with aclosing(reply.events) as events:
                async for event in events:
                    match event:
                        case Delta():
                            yield objects.chunk({"content": event.text})
                        case Done():
                            yield objects.chunk({}, event.finish_reason)
                            if include_usage:
                                yield objects.usage_chunk(event.usage)
        except Problem as problem:
            yield self.last_frame(problem)
        else:
            yield frame(b"[DONE]")

    def last_frame(self, problem: Problem) -> bytes:
        """A problem as the last event of a stream."""
        return frame(error_response(problem).body)

    def error(self, problem: Problem) -> Response:
        """A problem as the whole response."""
        return error_response(problem)


@router.post("/chat/completions")
async def chat_completions(
    body: ChatRequest,
    authorization: Annotated[str | None, Header()] = None,
    cache_control: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Answer a conversation, whole or as a stream of chunks."""
    # This describes the route in the OpenAPI document; requests go to PlainRoute, before FastAPI.
    del body, authorization, cache_control
    raise AssertionError("PlainRoute takes all requests of this route")


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
