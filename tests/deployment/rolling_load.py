"""Callers who go on and on, by the ways that a cluster has, and what each was answered."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from pydantic import SecretStr

from tracemypods.kit.http import DependencyError, HttpClient
from tracemypods.local.testing.background import BackgroundLoop
from tracemypods.local.testing.waiting import until

CALLERS = 4
"""So many of each kind call at once."""
PAUSE_SECONDS = 0.02
"""Between two calls of one caller: enough for connections to be idle now and then."""
PATIENCE_SECONDS = 60.0
"""Nothing takes so long on any machine: it ends a call in vain."""


@dataclass(frozen=True)
class Call:
    """One request, the status of its answer, and the last event where that is a stream."""

    method: str
    path: str
    status: int = 200
    json: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    last: str | None = None

    def is_answered_by(self, status: int, body: bytes) -> bool:
        """Whether this is the whole of such an answer."""
        *_, event = body.removesuffix(b"\n\n").split(b"\n\n")
        whole = self.last is None or event.startswith(f"event: {self.last}\n".encode())
        return status == self.status and whole


Client = Callable[[Call], Awaitable[tuple[int, bytes]]]
"""Makes a call; returns status and whole body. Raises whatever its library raises."""
MakeClient = Callable[[], AbstractAsyncContextManager[Client]]


def outside(url: str) -> MakeClient:
    """Callers who reach the fleet at its gateway."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Client]:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(url, timeout=timeout) as session:

            async def call(one: Call) -> tuple[int, bytes]:
                request = session.request(
                    one.method, one.path, json=one.json, headers=one.headers, allow_redirects=False
                )
                async with request as answer:
                    return answer.status, await answer.read()

            yield call

    return make


def inside(service: str, url: str, key: str) -> MakeClient:
    """Another service, which has the key of its edge and calls with the client that all have."""

    @asynccontextmanager
    async def make() -> AsyncIterator[Client]:
        client = HttpClient(
            service, url, connect=PATIENCE_SECONDS, total=PATIENCE_SECONDS, bearer=SecretStr(key)
        )

        async def call(one: Call) -> tuple[int, bytes]:
            return await client.call(one.method, one.path, one.json, one.headers)

        try:
            yield call
        finally:
            await client.close()

    return make


class RollingLoad:
    """Several callers of each kind at once, each of whom makes one call after the other.

    A kind of callers is how they reach what they call, and the calls that they make in turn. Use
    as a context manager, at whose end everybody finishes the call that they are in. `wrong` holds
    what was not answered as it must be.
    """

    def __init__(self, *kinds: tuple[MakeClient, Sequence[Call]]) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self._kinds = kinds
        self._closed = False
        self._background = BackgroundLoop()

    def __enter__(self) -> Self:
        self._background.__enter__()
        self._calling = asyncio.run_coroutine_threadsafe(self._all(), self._background.loop)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        try:
            self._calling.result()
        finally:
            self._background.__exit__()

    def await_answers(self, count: int) -> None:
        """Wait until so many more calls were answered, well or not."""
        enough = self.answers + count
        until(lambda: self.answers >= enough or self._calling.done(), f"{count} answers")

    async def _all(self) -> None:
        await asyncio.gather(*(self._kind(*kind) for kind in self._kinds))

    async def _kind(self, make_client: MakeClient, calls: Sequence[Call]) -> None:
        async with make_client() as client:
            await asyncio.gather(*(self._one(client, calls, at) for at in range(CALLERS)))

    async def _one(self, client: Client, calls: Sequence[Call], first: int) -> None:
        for at in itertools.count(first):
            if self._closed:
                return
            call = calls[at % len(calls)]
            try:
                status, body = await client(call)
            except (aiohttp.ClientError, DependencyError, TimeoutError) as error:
                self.wrong.append(f"{call.method} {call.path}: {error!r}")
            else:
                if not call.is_answered_by(status, body):
                    self.wrong.append(f"{call.method} {call.path}: {status} {body[-300:]!r}")
            self.answers += 1
            await asyncio.sleep(PAUSE_SECONDS)
