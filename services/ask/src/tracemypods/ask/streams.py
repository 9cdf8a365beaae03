"""Server-sent events: heartbeats, callers who leave, and a last event when the service stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, aclosing
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tracemypods.contracts.tokens import revoked as revoked_token
from tracemypods.kit.app import Draining
from tracemypods.kit.errors import Problem, Unavailable
from tracemypods.kit.tasks import end

HEARTBEAT = b": still here\n\n"

ResultT = TypeVar("ResultT")

_log = logging.getLogger("tracemypods.ask.streams")


class Stopping(Unavailable):
    """The service was told to stop and gave the answer as long as it could."""

    def __init__(self) -> None:
        super().__init__(
            "The service is being restarted. Ask again in a few seconds.", code="shutting_down"
        )


class CallerLeft(Exception):
    """The caller closed the connection, or reads no more, so there is nobody to answer."""


def frame(data: bytes | memoryview, event: str | None = None) -> bytes:
    """One event (WHATWG HTML, section 9.2). `data` is one line, as JSON is."""
    if event is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def compact_json(value: Mapping[str, Any]) -> bytes:
    """JSON on one line. pydantic's encoder is the fastest one that is here anyway."""
    return to_json(value)


class Departure:
    """Decides how long an answer may go on: until its caller leaves, or it has to end.

    `grace` is how many seconds an answer may still take once the service drains; `revoked` is done
    when the caller's token is revoked, which ends it at once.
    """

    def __init__(
        self, receive: Receive, draining: Draining, grace: float, revoked: asyncio.Future[None]
    ) -> None:
        self._receive = receive
        self._draining = draining
        self._grace = grace
        self._revoked = revoked

    async def limit(self, work: Awaitable[ResultT]) -> ResultT:
        """Await `work`, which is cancelled when the caller leaves or the answer has to end.

        Raises CallerLeft, Stopping, or TokenError `token_revoked`.
        """
        working = asyncio.ensure_future(work)
        left = asyncio.ensure_future(self._left())
        try:
            await self._first_of(working, left)
        finally:
            await end(working, left)
        if not working.cancelled():
            return working.result()
        if not left.cancelled():
            raise CallerLeft
        raise revoked_token() if self._revoked.done() else Stopping()

    async def _first_of(self, working: asyncio.Future[Any], left: asyncio.Future[None]) -> None:
        """Return when one of them has ended, or the answer has to end."""
        ends: set[asyncio.Future[Any]] = {working, left, self._revoked}
        draining = self._draining.future()
        done, _ = await asyncio.wait({*ends, draining}, return_when=asyncio.FIRST_COMPLETED)
        if done == {draining}:
            await asyncio.wait(ends, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


class EventStream(Response):
    """Sends frames as they are made, and a comment whenever none was for `heartbeat` seconds.

    Stops making them as soon as the caller leaves, or has not read for `stall` seconds. When the
    answer has to end (the service stops, the caller's token is revoked), `last_frame` tells the
    caller why. `ended` is called once nothing is made any more, whether it was begun or not.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        *,
        draining: Draining,
        grace: float,
        watching: AbstractContextManager[asyncio.Future[None]],
        heartbeat: float,
        stall: float,
        last_frame: Callable[[Problem], bytes],
        ended: Callable[[], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # X-Accel-Buffering: nginx and ingresses built on it would hold the stream back otherwise.
        super().__init__(headers={"X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._frames = frames
        self._draining = draining
        self._grace = grace
        self._watching = watching
        self._heartbeat = heartbeat
        self._stall = stall
        self._last_frame = last_frame
        self._ended = ended
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        send = self._in_time(send)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._answer(receive, send)
        except CallerLeft:
            return  # the server closes a connection whose answer has no end
        finally:
            self._ended()

    async def _answer(self, receive: Receive, send: Send) -> None:
        try:
            with self._watching as revoked:
                departure = Departure(receive, self._draining, self._grace, revoked)
                await departure.limit(self._send_all(send))
        except Problem as problem:
            await send(_body(self._last_frame(problem), more=True))
        await send(_body(b"", more=False))

    def _in_time(self, send: Send) -> Send:
        """`send` waits while the caller does not read: this one raises CallerLeft after a while."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._stall):
                    await send(message)
            except TimeoutError:
                _log.info("stream cut", extra={"reason": "its caller does not read"})
                raise CallerLeft from None

        return send_in_time

    async def _send_all(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        sent_at = clock()
        sending = asyncio.current_task()
        unread = False

        async def beat() -> None:
            nonlocal sent_at, unread
            while True:
                await asyncio.sleep(sent_at + self._heartbeat - clock())
                if clock() - sent_at >= self._heartbeat:
                    sent_at = clock()
                    try:
                        await send(_body(HEARTBEAT, more=True))
                    except CallerLeft:
                        unread = True
                        if sending is not None:
                            sending.cancel()
                        return

        beating = asyncio.create_task(beat())
        try:
            async with aclosing(self._frames) as frames:
                async for made in frames:
                    sent_at = clock()
                    await send(_body(made, more=True))
        except asyncio.CancelledError:
            if unread:
                raise CallerLeft from None
            raise
        finally:
            beating.cancel()
            await asyncio.wait({beating})


def _body(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}
