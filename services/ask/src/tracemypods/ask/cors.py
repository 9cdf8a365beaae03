"""Cross-origin access to `/v1`, for the web origins that the operator names."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tracemypods.ask.openai_api.errors import PREFIX


class CrossOriginV1:
    """Starlette's CORS middleware, for paths below /v1 only."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (self._open if public else self._app)(scope, receive, send)
