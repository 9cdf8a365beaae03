"""A service's application behind a real socket, in this process."""

from __future__ import annotations

import asyncio
import signal
import socket

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope

from tracemypods.kit.serve import Server
from tracemypods.local.testing.background import BackgroundLoop


class ServedApp:
    """Serves an application on a free port of 127.0.0.1. Use as a context manager.

    `url` is its address. The server is the one that services run, so that draining and callers
    who leave are real.
    """

    def __init__(self, app: FastAPI, drain_seconds: int = 2, linger: float = 0) -> None:
        self.app = app
        self._drain_seconds = drain_seconds
        self._linger = linger
        self._background = BackgroundLoop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        # What it accepts inherits this; asyncio does it only for sockets that it makes itself.
        # Without it an answer's body waits 40 ms for the caller to confirm its head.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> ServedApp:
        self._build_routes()
        self._background.__enter__()
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())
        self._background.__exit__()
        self._socket.close()

    def tell_to_stop(self) -> None:
        """Do what SIGTERM does; returns at once."""
        self._server.handle_exit(signal.SIGTERM, None)

    def _build_routes(self) -> None:
        """Do at once what FastAPI leaves for the first request: match routes, which builds them.

        Two applications of one process that do so at the same time disturb each other in pydantic.
        """
        nowhere: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/-",
            "root_path": "",
            "headers": [],
        }
        for route in self.app.router.routes:
            route.matches(nowhere)

    async def _start(self) -> None:
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=self._drain_seconds,
        )
        self._server = Server(config, self.app.state.draining, self._linger)
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.005)

    async def _stop(self) -> None:
        self._server.should_exit = True
        await self._serving
