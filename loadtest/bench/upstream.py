"""A model server for benches: gives its whole answer at once, and counts how often it was asked.

Streamed, the answer comes in pieces that are sent together, so that what is measured is never the
pace of a model. It runs in a process of its own: `python -m loadtest.bench.upstream MODEL` prints
the URL.
"""

from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from typing import Any

import httpx2
from aiohttp import web

from loadtest.bench import own_process

PIECES = ["Gravity is the pull of everything that has mass on everything else that has mass. "] * 24
TEXT = "".join(PIECES)
"""What it always says: 2 KB, as a usual answer has."""
FIRST_WORD = PIECES[0].partition(" ")[0]

_USAGE = {"prompt_tokens": 7, "completion_tokens": 400, "total_tokens": 407}


class Upstream:
    """The server, until `stack` ends it; `url` is the base of its OpenAI-compatible API."""

    def __init__(self, stack: ExitStack, model: str) -> None:
        self.url = own_process.serve(stack, __name__, model)

    def calls(self) -> int:
        """How many questions it was asked so far."""
        return httpx2.get(f"{self.url}/calls").json()


class _Server:
    def __init__(self, model: str) -> None:
        self._model = model
        self._calls = 0
        self._events = b"".join(_events(model))

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/v1/calls", self._show_calls)
        application.router.add_get("/v1/models", self._list)
        application.router.add_post("/v1/chat/completions", self._answer)
        return application

    async def _show_calls(self, _request: web.Request) -> web.Response:
        return web.json_response(self._calls)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self._model}]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self._calls += 1
        if not asked.get("stream"):
            return web.json_response(_whole(self._model, self._calls))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(self._events)
        await response.write_eof()
        return response


def _whole(model: str, number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _USAGE,
    }


def _events(model: str) -> list[bytes]:
    common = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": model}
    deltas = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in PIECES]
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": delta, "finish_reason": reason}]
        for delta, reason in [*deltas, ({}, "stop")]
    ]
    chunks = [{**common, "choices": one} for one in choices]
    chunks.append({**common, "choices": [], "usage": _USAGE})
    return [f"data: {json.dumps(one)}\n\n".encode() for one in chunks] + [b"data: [DONE]\n\n"]


def main() -> None:
    """Serve until told to stop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", flush=True)
        web.run_app(_Server(sys.argv[1]).application(), sock=listening, print=None)


if __name__ == "__main__":
    main()
