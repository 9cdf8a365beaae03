"""Run a service: load settings, listen, and stop gracefully when told to."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tracemypods.kit import log
from tracemypods.kit.app import Draining
from tracemypods.kit.settings import Mode, SettingsError, SettingsT, load

EXIT_BAD_SETTINGS = 78
"""EX_CONFIG of BSD's sysexits.h: starting again will not help until a setting is changed."""

LINGER_SECONDS = 3.5
"""How long a connection without a request is left open to its caller after a service was told to
stop: for longer than callers keep theirs (see kit.http and the gateway)."""


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application, and callers, that it was told to stop."""

    def __init__(self, config: uvicorn.Config, draining: Draining, linger: float = 0) -> None:
        super().__init__(config)
        self._draining = draining
        self._linger = linger
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, *arguments: object, **options: object) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(*arguments, **options)  # pyright: ignore[reportArgumentType]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let callers go, which each answer asks them to, for `linger` seconds; then end.

        What is sent on a connection while that is closed is lost, and may not be sent again.
        """
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        give_up = time.monotonic() + self._linger
        while self.server_state.connections and time.monotonic() < give_up:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nobody is told when one has gone
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, then do as uvicorn does."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._draining.begin)
        super().handle_exit(sig, frame)


def run(
    name: str, settings_class: type[SettingsT], create_app: Callable[[SettingsT], FastAPI]
) -> None:
    """Run the service `name` until SIGTERM or SIGINT.

    Exits with status 78 and one line per problem when its settings are wrong.
    """
    try:
        settings = load(settings_class)
        app = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"{name}: settings are missing or wrong:\n{error}\n")
        raise SystemExit(EXIT_BAD_SETTINGS) from None
    log.configure(name)
    linger = 0 if settings.mode is Mode.LOCAL else min(LINGER_SECONDS, settings.drain_seconds)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds - linger)),
    )
    # What start-up made stays for good: the collector need not look at it with every request.
    gc.collect()
    gc.freeze()
    Server(config, app.state.draining, linger).run()
    app.state.end_telemetry()
