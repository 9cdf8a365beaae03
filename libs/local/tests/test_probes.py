"""Whether the readiness probes tell a server that answers from one that does not.

Those that answer as they should are in every test that starts a fleet.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from tracemypods.local.probes import MongoProbe, NotYet, Probe, S3Probe
from tracemypods.local.s3_signature import signed_headers

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def ask_one_that(answer: Answer, probe: Callable[[int], Probe] = MongoProbe) -> None:
    async def work() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answer(reader, writer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            await probe(server.sockets[0].getsockname()[1]).ask()

    asyncio.run(work())


def reply(document: bytes) -> Answer:
    body = struct.pack("<i", 0) + b"\0" + struct.pack("<i", len(document) + 5) + document + b"\0"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("<i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(struct.pack("<iiii", 16 + len(body), 1, 1, 2013) + body)

    return answer


def test_mongo_as_a_real_server_says_it() -> None:
    ask_one_that(reply(b"\x01ok\0" + struct.pack("<d", 1.0)))


def test_mongo_that_is_not_well() -> None:
    with pytest.raises(NotYet, match="starting up"):
        ask_one_that(
            reply(b"\x01ok\0" + struct.pack("<d", 0.0) + b"\x02e\0\x0c\0\0\0starting up\0")
        )


def test_mongo_that_hangs_up() -> None:
    async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    with pytest.raises((NotYet, ConnectionResetError)):
        ask_one_that(nothing)


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "503 Slow Down"])
def test_s3_that_takes_no_files_yet(status: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with pytest.raises(NotYet, match=status):
        ask_one_that(refuse, lambda port: S3Probe(port, "files", "access", "secret"))


def test_s3_that_hangs_up() -> None:
    async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    with pytest.raises((NotYet, ConnectionResetError)):
        ask_one_that(nothing, lambda port: S3Probe(port, "files", "access", "secret"))


def test_s3_is_asked_as_amazons_own_client_asks() -> None:
    signed = signed_headers(
        *("HEAD", "127.0.0.1:8333", "/files", "access", "secret"),
        datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    )
    assert signed["authorization"].rpartition("=")[2] == (
        "8317b533a951691ea20b41940b95755c377028f55d713d8d1fc91f687cfd8a59"
    )
