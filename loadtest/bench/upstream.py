"""A model server for benches: gives one whole answer at once, and counts how often it was asked."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tracemypods.local.testing.background import BackgroundLoop

TEXT = "Gravity is the pull of everything that has mass on everything else that has mass. " * 24
"""What it always says: 2 KB, as a usual answer has."""


class Upstream:
    """The server. Use as a context manager; `url` is the base of its OpenAI-compatible API."""

    def __init__(self) -> None:
        self.calls = 0
        self.url = ""
        self._background = BackgroundLoop()
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Upstream:
        self._background.__enter__()
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._background.run(self._runner.cleanup())
        self._background.__exit__()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls += 1
        message = {"role": "assistant", "content": TEXT}
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{self.calls}",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 400, "total_tokens": 407},
        }
        return web.json_response(answer)
