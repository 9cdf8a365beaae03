"""Streamed completions from an OpenAI-compatible model server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic_core import from_json

from tracemypods.ask.silence import SilenceWatch
from tracemypods.kit.errors import InvalidRequest, Problem, Unavailable
from tracemypods.kit.http import HttpClient

LONGEST_EVENT = 1024 * 1024
"""Bytes of one event; an answer's text comes in many."""

DONE = b"[DONE]"
"""The data of the last event."""

END_SECONDS = 0.1
"""How long a server may take to end its response after the last event."""

_log = logging.getLogger("tracemypods.ask.completions")


@dataclass(frozen=True)
class Usage:
    """Counted by the model server."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def total_tokens(self) -> int:
        """Question and answer together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Chunk:
    """A part of an answer: text in so many pieces, why it ended, or what it took."""

    text: str = ""
    pieces: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None


class Interrupted(Problem):
    """The answer broke off on the model server's side."""

    status, code = 502, "answer_interrupted"


async def complete(
    client: HttpClient, path: str, body: Mapping[str, Any], watch: SilenceWatch
) -> AsyncGenerator[Chunk]:
    """Ask the model server and give its answer as it comes. Closing the generator hangs up.

    `path` is `/chat/completions`, or `/completions` for a prompt that is to be continued; `body` is
    a request of OpenAI's to it, less what is set here. Raises DependencyError
    when the server cannot be reached, falls silent or breaks off, Problem for what it refuses, and
    Interrupted for an answer that ends without an end.
    """
    request = {**body, "stream": True, "stream_options": {"include_usage": True}}
    ended = False
    async with watch:
        response = await watch.opening(client.open("POST", path, json=request))
        watch.reading(response)
        try:
            with client.named_failures():
                if response.status != 200:
                    raise _refused(response.status, await response.read())
                async for events in _events(response, watch):
                    chunk, failure = _merge(events)
                    ended = ended or chunk.finish_reason is not None
                    yield chunk
                    if failure is not None:
                        raise failure
                    if events[-1] == DONE:
                        await _read_to_end(response)
                        break
        finally:
            response.close()  # which keeps the connection if all was read
    if not ended:
        raise Interrupted("The model server broke off its answer. Ask again.")


async def _events(
    response: aiohttp.ClientResponse, watch: SilenceWatch
) -> AsyncGenerator[list[bytes]]:
    """The data of server-sent events, as many as came together and none after DONE.

    Model servers put one line of JSON into each.
    """
    rest = b""
    async for received in response.content.iter_any():
        watch.heard()
        *lines, rest = (rest + received).split(b"\n")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                events.append(line[5:].strip())
                if events[-1] == DONE:
                    break
            elif line.startswith(b"error:"):  # llama.cpp names the field so
                events.append(b'{"error":%s}' % line[6:].strip())
        if events:
            yield events
        if len(rest) > LONGEST_EVENT:
            raise Interrupted("The model server sent something unreadable. Ask again.")


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Read what comes after the last event, which is nothing, so that the connection is kept."""
    try:
        async with asyncio.timeout(END_SECONDS):
            await response.content.readany()
    except TimeoutError:
        pass


def _merge(events: list[bytes]) -> tuple[Chunk, Interrupted | None]:
    """What came together, as one part; and how it failed, if it did after that."""
    texts: list[str] = []
    finish_reason, usage, failure = None, None, None
    for data in events:
        if data == DONE:
            break
        try:
            chunk = _parse(data)
        except Interrupted as error:
            failure = error
            break
        if chunk.text:
            texts.append(chunk.text)
        finish_reason = chunk.finish_reason or finish_reason
        usage = chunk.usage or usage
    return Chunk("".join(texts), len(texts), finish_reason, usage), failure


def _parse(data: bytes) -> Chunk:
    try:
        # Half the time of Python's own parser, and it refuses halves of characters.
        event: Any = from_json(data)
        if event.get("error"):
            _log.warning("model server failed in mid-answer", extra={"error": event["error"]})
            raise Interrupted("The model server failed while it answered. Ask again.")
        counted = event.get("usage")
        usage = (
            Usage(int(counted["prompt_tokens"]), int(counted["completion_tokens"]))
            if counted
            else None
        )
        if not event.get("choices"):
            return Chunk(usage=usage)
        choice = event["choices"][0]
        return Chunk(
            text=(choice["delta"].get("content") if "delta" in choice else choice["text"]) or "",
            finish_reason=choice.get("finish_reason"),
            usage=usage,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Interrupted("The model server sent something unreadable. Ask again.") from None


def _refused(status: int, body: bytes) -> Problem:
    """What a caller is told when the model server refuses a request."""
    try:
        said: Any = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        said = None
    kind = said.get("type") if isinstance(said, dict) else None
    _log.warning("model server refused", extra={"status": status, "type": kind})
    if kind == "exceed_context_size_error" or (status == 400 and b"context" in body):
        return InvalidRequest(
            "The conversation is too long for this model. Shorten it, or begin a new one.",
            code="context_exceeded",
        )
    if status in (429, 503):
        return Unavailable(
            "The model is busy or still loading. Try again in a few seconds.",
            code="model_busy",
            retry_after=5,
        )
    if status == 404:
        return Problem(
            "The model server does not have this model any more.",
            status=409,
            code="model_not_installed",
        )
    return Problem(
        f"The model server refused the question (it answered {status}).",
        status=502,
        code="model_failed",
    )
