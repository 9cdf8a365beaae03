"""Run a service: load settings, listen, and stop gracefully when told to."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tracemypods.kit import log
from tracemypods.kit.app import Draining
from tracemypods.kit.settings import SettingsError, SettingsT, load

EXIT_BAD_SETTINGS = 78
"""EX_CONFIG of BSD's sysexits.h: starting again will not help until a setting is changed."""


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, *arguments: object, **options: object) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(*arguments, **options)  # pyright: ignore[reportArgumentType]

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
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    # What start-up made stays for good: the collector need not look at it with every request.
    gc.collect()
    gc.freeze()
    Server(config, app.state.draining).run()
    app.state.end_telemetry()
