"""The HTTP client: every way in which a server can fail has its name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from tracemypods.kit.context import set_request_id
from tracemypods.kit.http import (
    DependencyDown,
    DependencyTimeout,
    DependencyUnreachable,
    HttpClient,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@asynccontextmanager
async def server(answer: bytes | None, seen: list[bytes] | None = None) -> AsyncGenerator[str]:
    """A server that sends `answer` and closes, or says nothing for None. Gives its address."""
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        if answer is None:
            await release.wait()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        release.set()
        listening.close()


@asynccontextmanager
async def client(url: str, bearer: str | None = None) -> AsyncGenerator[HttpClient]:
    made = HttpClient(
        "thing",
        url,
        connect=0.3,
        read=0.1,
        total=0.2,
        bearer=SecretStr(bearer) if bearer else None,
    )
    try:
        yield made
    finally:
        await made.close()


def test_a_call_carries_the_key_and_the_id_of_the_request() -> None:
    async def run() -> None:
        seen: list[bytes] = []
        set_request_id("req_1")
        async with server(OK, seen) as url, client(url + "/base", "s3cret") as http:
            assert await http.call("GET", "/x") == (200, b"hi")
        assert seen[0].startswith(b"GET /base/x HTTP/1.1\r\n")
        assert b"Authorization: Bearer s3cret" in seen[0]
        assert b"X-Request-Id: req_1" in seen[0]

    asyncio.run(run())


async def read_stream(http: HttpClient) -> None:
    response = await http.open("POST", "/", json={"a": 1})
    try:
        with http.named_failures():
            await response.read()
    finally:
        response.close()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (None, DependencyTimeout),
        (b"", DependencyDown),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhi", DependencyDown),
        (b"garbage\r\n\r\n", DependencyDown),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_failures_have_names(
    answer: bytes | None, failure: type[Exception], streamed: bool
) -> None:
    async def run() -> None:
        async with server(answer) as url, client(url) as http:
            with pytest.raises(failure, match=r"^thing: "):
                await (read_stream(http) if streamed else http.call("GET", "/"))

    asyncio.run(run())


def test_a_refused_connection_is_told_apart() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        async with client(f"http://127.0.0.1:{port}") as http:
            with pytest.raises(DependencyUnreachable):
                await http.call("GET", "/")

    asyncio.run(run())
