"""What a cluster's Service does: new connections go to the endpoints in turn, open ones stay.

An endpoint that is taken out gets no new connections. Those that it has are left to it, as a kernel
that forwards packets leaves them, so whoever keeps connections open goes on using them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from typing import Self

from tracemypods.local.testing.background import BackgroundLoop

_CHUNK_BYTES = 65536


class Balancer:
    """The balancer. Use as a context manager; `address` is its host:port, `url` the same as a URL.

    Endpoints are ports of this machine. Where none is left, connections are closed at once.
    """

    def __init__(self) -> None:
        self._background = BackgroundLoop()
        self._endpoints: tuple[int, ...] = ()
        self._turn = itertools.count()
        self._open: Counter[int] = Counter()

    @property
    def url(self) -> str:
        """Its address as a URL."""
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._background.__enter__()
        self._server = self._background.run(self._start())
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())
        self._background.__exit__()

    def put_in(self, port: int) -> None:
        """Give an endpoint its share of new connections."""
        self._endpoints = (*self._endpoints, port)

    def take_out(self, port: int) -> None:
        """Give an endpoint no new connections any more."""
        self._endpoints = tuple(one for one in self._endpoints if one != port)

    def connections(self, port: int) -> int:
        """How many connections to an endpoint are open now."""
        return self._open[port]

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            endpoints = self._endpoints
            if not endpoints:
                return
            port = endpoints[next(self._turn) % len(endpoints)]
            self._open[port] += 1
            try:
                await _join(reader, writer, port)
            finally:
                self._open[port] -= 1


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass on what comes from either side, until both have said all or one has broken off."""
    try:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    with contextlib.closing(their_writer):
        await asyncio.gather(_copy(reader, their_writer), _copy(their_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
