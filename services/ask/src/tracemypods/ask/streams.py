"""Server-sent events: heartbeats, callers who leave, and a last event when the service stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracemypods.kit.app import Draining
from tracemypods.kit.errors import Unavailable

HEARTBEAT = b": still here\n\n"

ResultT = TypeVar("ResultT")


class Stopping(Unavailable):
    """The service was told to stop and gave the answer as long as it could."""

    def __init__(self) -> None:
        super().__init__(
            "The service is being restarted. Ask again in a few seconds.", code="shutting_down"
        )


class CallerLeft(Exception):
    """The caller closed the connection, so there is nobody to answer."""


def frame(data: str, event: str | None = None) -> bytes:
    """One event (WHATWG HTML, section 9.2). `data` is one line, as JSON is."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {data}\n\n".encode()


# One encoder for all: json.dumps would make a new one for every token.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def compact_json(value: Mapping[str, Any]) -> str:
    """JSON on one line."""
    return _ENCODER.encode(value)


class Departure:
    """Decides how long an answer may go on: until its caller leaves, or the service stops.

    `grace` is how many seconds an answer may still take once the service drains.
    """

    def __init__(self, receive: Receive, draining: Draining, grace: float) -> None:
        self._receive = receive
        self._draining = draining
        self._grace = grace

    async def limit(self, work: Awaitable[ResultT]) -> ResultT:
        """Await `work`, which is cancelled when the caller leaves or the service must stop.

        Raises CallerLeft or Stopping.
        """
        working = asyncio.ensure_future(work)
        left = asyncio.ensure_future(self._left())
        stopped = asyncio.ensure_future(self._stopped())
        every = {working, left, stopped}
        try:
            await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in every:
                task.cancel()
            await asyncio.wait(every)
        if not working.cancelled():
            return working.result()
        raise CallerLeft if not left.cancelled() else Stopping()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stopped(self) -> None:
        await self._draining.wait()
        await asyncio.sleep(self._grace)


class EventStream(Response):
    """Sends frames as they are made, and a comment whenever none was for `heartbeat` seconds.

    Stops making them as soon as the caller leaves. When the service must stop, `last_frame` is
    sent with what the caller should know.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        *,
        draining: Draining,
        grace: float,
        heartbeat: float,
        last_frame: Callable[[Stopping], bytes],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # X-Accel-Buffering: nginx and ingresses built on it would hold the stream back otherwise.
        super().__init__(headers={"X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._frames = frames
        self._draining = draining
        self._grace = grace
        self._heartbeat = heartbeat
        self._last_frame = last_frame
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            await Departure(receive, self._draining, self._grace).limit(self._send_all(send))
        except CallerLeft:
            return
        except Stopping as stopping:
            await send(_body(self._last_frame(stopping), more=True))
        await send(_body(b"", more=False))

    async def _send_all(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        sent_at = clock()

        async def beat() -> None:
            nonlocal sent_at
            while True:
                await asyncio.sleep(sent_at + self._heartbeat - clock())
                if clock() - sent_at >= self._heartbeat:
                    sent_at = clock()
                    await send(_body(HEARTBEAT, more=True))

        beating = asyncio.create_task(beat())
        try:
            async with aclosing(self._frames) as frames:
                async for made in frames:
                    sent_at = clock()
                    await send(_body(made, more=True))
        finally:
            beating.cancel()
            await asyncio.wait({beating})


def _body(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}
