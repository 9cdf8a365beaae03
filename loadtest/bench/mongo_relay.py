"""Stands between a service and MongoDB, passes everything on, and counts what is read.

The embedded server keeps no counts of its own (its serverStatus has no opcounters).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import bson

from tracemypods.local.mongo import url
from tracemypods.local.testing.background import BackgroundLoop

READS = {"find", "aggregate", "count", "distinct", "getMore"}

_HEADER = struct.Struct("<iiii")  # length with this header, id, id of the question, opcode
_OP_MSG = 2013
_BEFORE_COMMAND = 5  # flags, and the kind of the first section, which is the command


class MongoRelay:
    """The relay, until `stack` ends it. `url` is for the service.

    `reads` counts commands that read, `is_own` aside: what the service does of its own accord.
    """

    def __init__(
        self, stack: ExitStack, server: str, is_own: Callable[[dict[str, Any]], bool]
    ) -> None:
        self.reads = 0
        self._server = urlsplit(server)
        self._is_own = is_own
        self._background = stack.enter_context(BackgroundLoop())
        listening = self._background.run(asyncio.start_server(self._relay, "127.0.0.1", 0))
        self.url = url(listening.sockets[0].getsockname()[1])

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection(self._server.hostname, self._server.port)
        answers = asyncio.create_task(_copy(theirs[0], writer))
        try:
            while True:
                header = await reader.readexactly(_HEADER.size)
                length, _, _, opcode = _HEADER.unpack(header)
                body = await reader.readexactly(length - _HEADER.size)
                if opcode == _OP_MSG:
                    self._count(body)
                theirs[1].write(header + body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            answers.cancel()
            theirs[1].close()
            writer.close()

    def _count(self, body: bytes) -> None:
        size = int.from_bytes(body[_BEFORE_COMMAND : _BEFORE_COMMAND + 4], "little")
        command: dict[str, Any] = bson.decode(body[_BEFORE_COMMAND : _BEFORE_COMMAND + size])
        if next(iter(command)) in READS and not self._is_own(command):
            self.reads += 1


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
