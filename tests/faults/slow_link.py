"""A slow link to a server, such as a Redis in another place: what is sent takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from tracemypods.local.testing.background import BackgroundLoop


class SlowLink:
    """Passes bytes on to a server, each part `seconds` after it came; answers are not held up.

    Use as a context manager; `url` is the server's URL by way of this link. `seconds` may be
    changed at any time.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._there = urlsplit(url)
        self.seconds = seconds
        self._background = BackgroundLoop()
        self._port = 0

    @property
    def url(self) -> str:
        """The server's URL by way of this link."""
        return self._there._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    def __enter__(self) -> SlowLink:
        self._background.__enter__()
        self._background.run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._close())
        self._background.__exit__()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._there.hostname, self._there.port)
        try:
            await asyncio.gather(
                self._pass_on(reader, back, lambda: self.seconds),
                self._pass_on(there, writer, lambda: 0),
            )
        except asyncio.CancelledError:
            pass  # it is closed with a connection open; Python 3.11 would log that
        finally:
            back.close()
            writer.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seconds: Callable[[], float],
    ) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(65536):
                await asyncio.sleep(seconds())
                writer.write(part)
                await writer.drain()
        writer.close()
