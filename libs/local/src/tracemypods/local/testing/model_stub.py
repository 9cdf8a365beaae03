"""A model server that says what it is told to and fails on demand, in OpenAI's wire format.

It is for tests and benchmarks only: nothing in the product starts it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Literal

from aiohttp import web

from tracemypods.local.testing.background import BackgroundLoop

Fault = Literal[
    "hang",  # accept every request and say nothing
    "never_begin",  # accept questions and say nothing to them, but answer other requests
    "hang_after_first",  # say one word, then nothing, to anyone
    "busy_after_first",  # say one word, then pause until `resume`, but answer other requests
    "refuse",  # answer `refusal` at once
    "break_off",  # close the connection in mid-answer
    "error_event",  # send an error event in mid-answer
    "no_end",  # end the stream without saying that the answer ended
    "garbage",  # send what is no JSON
]


MakeChunk = Callable[[str, str | None], bytes]
"""Makes one event's data from a text and the reason why the answer ends."""


class ModelStub:
    """The stub. Use as a context manager; change its fields at any time.

    `url` is the base of its OpenAI-compatible API, `requests` are the questions it got (chats have
    `messages`, prompts to be continued a `prompt`), `listed` counts how often it was asked for its
    models and `authorizations` with which headers, `left` is set when a caller hangs up before the
    end of an answer.

    With `ollama` (digests by name) it also tells what Ollama does beside OpenAI's API, `loaded`
    being the models that are in memory.

    Prompts end where a `stop` text comes up, as with real servers.
    """

    def __init__(self) -> None:
        self.models = ["smollm2:135m"]
        self.pieces = ["Hello", ", ", "world", "."]
        self.finish_reason = "stop"
        self.seconds_between = 0.0
        self.fault: Fault | None = None
        self.refusal: tuple[int, dict[str, Any]] = (500, {"error": {"message": "refused"}})
        self.tokenizes = True
        self.ollama: dict[str, str] | None = None
        self.loaded: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.listed = 0
        self.authorizations: list[str | None] = []
        self.left = threading.Event()
        self._resumed = threading.Event()
        self._background = BackgroundLoop()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Base of its API, such as `http://127.0.0.1:4711/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> ModelStub:
        self._background.__enter__()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._background.__exit__()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._background.run(self._start())

    def stop(self) -> None:
        """Close all connections and stop listening."""
        self.resume()
        self._background.run(self._stop())

    def resume(self) -> None:
        """Let an answer that is paused go on."""
        self._resumed.set()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._continue)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/api/ps", self._running)
        # A handler is cancelled when its caller hangs up, as model servers stop generating then.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _tags(self, _request: web.Request) -> web.Response:
        if self.ollama is None:
            raise web.HTTPNotFound
        models = [{"name": name, "digest": digest} for name, digest in self.ollama.items()]
        return web.json_response({"models": models})

    async def _running(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": name} for name in self.loaded]})

    async def _list(self, request: web.Request) -> web.Response:
        self.listed += 1
        self.authorizations.append(request.headers.get("Authorization"))
        await self._maybe_hang()
        return web.json_response({"object": "list", "data": [{"id": id_} for id_ in self.models]})

    async def _tokenize(self, request: web.Request) -> web.Response:
        await self._maybe_hang()
        if not self.tokenizes:
            return web.json_response({}, status=404)
        # One token a word: far from the bound of one token a byte, which tests tell apart.
        words = str((await request.json())["content"]).split()
        return web.json_response({"tokens": list(range(len(words)))})

    async def _maybe_hang(self) -> None:
        if self.fault in ("hang", "hang_after_first"):
            await asyncio.Event().wait()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        return await self._complete(request, asked, self.pieces, _chat_chunk)

    async def _continue(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        pieces = until_stop(self.pieces, asked.get("stop") or [])
        return await self._complete(request, asked, pieces, _text_chunk)

    async def _complete(
        self,
        request: web.Request,
        asked: dict[str, Any],
        pieces: Sequence[str],
        chunk: MakeChunk,
    ) -> web.StreamResponse:
        self.requests.append(asked)
        if self.fault in ("hang", "never_begin"):
            await asyncio.Event().wait()
        if self.fault == "refuse":
            status, body = self.refusal
            return web.json_response(body, status=status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            async for data in self._answer(pieces, chunk):
                await response.write(b"data: " + data + b"\n\n")
        except asyncio.CancelledError:
            self.left.set()
            raise
        except ConnectionError:
            self.left.set()
        if self.fault == "break_off" and request.transport is not None:
            request.transport.abort()
        return response

    async def _answer(self, pieces: Sequence[str], chunk: MakeChunk) -> AsyncGenerator[bytes]:
        for index, piece in enumerate(pieces):
            if index:
                await self._between()
                if self.fault == "error_event":
                    yield json.dumps({"error": {"code": 500, "message": "out of memory"}}).encode()
                    return
                if self.fault == "break_off":
                    return
            if self.fault == "garbage":
                yield b"<html>not a model</html>"
                return
            yield chunk(piece, None)
        if self.fault == "no_end":
            return
        yield chunk("", self.finish_reason)
        count = len(pieces)
        usage = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}
        yield json.dumps({"choices": [], "usage": usage}).encode()
        yield b"[DONE]"

    async def _between(self) -> None:
        await asyncio.sleep(self.seconds_between)
        if self.fault == "hang_after_first":
            await asyncio.Event().wait()
        if self.fault == "busy_after_first":
            await asyncio.to_thread(self._resumed.wait)


def _chat_chunk(text: str, finish_reason: str | None) -> bytes:
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice]}).encode()


def _text_chunk(text: str, finish_reason: str | None) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice]}).encode()


def until_stop(pieces: Sequence[str], stops: Sequence[str]) -> list[str]:
    """The pieces up to where the first stop text begins."""
    whole = "".join(pieces)
    end = min((at for stop in stops if (at := whole.find(stop)) >= 0), default=len(whole))
    kept: list[str] = []
    for piece in pieces:
        kept.append(piece[:end])
        end -= len(kept[-1])
    return [piece for piece in kept if piece]
