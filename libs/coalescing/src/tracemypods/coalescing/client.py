"""A small Redis client for hot paths: all commands of one event-loop turn leave as one write.

redis-py checks out a connection for each command and writes and reads on it alone, which costs more
than the command. Here a hundred requests that are handled in one turn of the loop make one write on
one connection, and the server's answers come back in one read. It speaks RESP2 to Redis and Valkey;
no publish/subscribe, no blocking commands (they would hold up everybody else's).
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import hiredis
from redis import exceptions
from redis.asyncio.connection import parse_url

from tracemypods.kit.redis import RedisSettings

IN_FLIGHT = 10_000
"""So many commands may wait for their answers; more are refused at once."""

Argument = str | bytes | int | float

# Its own annotation says that a command is one word long.
_pack = cast(
    "Callable[[tuple[Argument, ...]], bytes]",
    hiredis.pack_command,  # pyright: ignore[reportUnknownMemberType]
)

_ERRORS: dict[str, type[exceptions.RedisError]] = {
    "LOADING": exceptions.BusyLoadingError,
    "NOAUTH": exceptions.AuthenticationError,
    "NOSCRIPT": exceptions.NoScriptError,
    "READONLY": exceptions.ReadOnlyError,
    "WRONGPASS": exceptions.AuthenticationError,
}

_NOTHING_YET = object()

_GRACE_SECONDS = 0.02
"""An answer that is overdue may lie unread, when it was this process that had no time."""


class Busy(exceptions.ConnectionError):
    """More commands wait for an answer than the client takes."""


class Script:
    """A Lua script. The server knows it by its hash once it has run there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class CoalescingRedis:
    """The client. It connects with the first command, and again when its connection broke.

    Answers are bytes, int, None, or lists of these. A command fails with a
    redis.exceptions.RedisError:

    - ConnectionError when no connection can be made, or it broke before the answer came. Whether
      the server has run the command is unknown then, so it is not sent again; a command that was
      not written yet goes out on the next connection.
    - TimeoutError when the answer took longer than `answer_seconds`. Answers come in order, so the
      commands after it fail too, and the connection is made anew.
    - Busy at once when `in_flight` commands wait already.
    - ResponseError, or what it is more precisely, when that is the server's answer.

    A caller that is cancelled disturbs nobody: its answer is dropped when it comes. All use is from
    one event loop.
    """

    def __init__(
        self,
        url: str,
        password: str | None = None,
        *,
        username: str | None = None,
        connect_seconds: float = 1.0,
        answer_seconds: float = 1.0,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._address = _Address(url, username, password)
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._in_flight = in_flight
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: deque[_Command] = deque()
        self._scheduled = False
        self._closed = False
        self.writes = 0
        """Writes so far, without what is said when a connection is made."""

    def execute(self, *command: Argument) -> asyncio.Future[Any]:
        """Send one command with this turn's others; its answer comes with awaiting the result.

        Raises Busy, and ConnectionError after `aclose`, at once; everything else when awaited.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        if self._closed:
            raise exceptions.ConnectionError("the client is closed")
        connection = self._connection
        waiting = len(self._waiting) + (len(connection.pending) if connection else 0)
        if waiting >= self._in_flight:
            raise Busy(f"{waiting} commands wait for an answer")
        sent = _Command(_pack(command), loop.create_future(), loop.time() + self._answer_seconds)
        self._waiting.append(sent)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        return sent.answer

    async def script(
        self, script: Script, keys: Sequence[str | bytes] = (), arguments: Sequence[Argument] = ()
    ) -> Any:
        """Run a script: by its hash, or whole if the server does not know it. Raises RedisError."""
        try:
            return await self.execute("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            return await self.execute("EVAL", script.text, len(keys), *keys, *arguments)

    async def ping(self) -> None:
        """Return when the server answers. Raises RedisError."""
        await self.execute("PING")

    async def aclose(self) -> None:
        """Close the connection; what still waits fails with ConnectionError."""
        self._closed = True
        error = exceptions.ConnectionError("the client was closed")
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        self._fail_waiting(error)
        if self._connection is not None:
            connection = self._connection
            connection.end(error)
            await connection.closed.wait()

    def _flush(self) -> None:
        """Write what was gathered; without a connection, make one, which calls this again."""
        self._scheduled = False
        if not self._waiting or self._closed:
            return
        if self._connection is None:
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
        elif not self._connection.paused:
            gathered, self._waiting = self._waiting, deque()
            self.writes += 1
            self._connection.send(gathered)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        connection = _Connection(loop, self._flush, self._lost)
        error: exceptions.RedisError | None = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._address.open(connection)
                for words in self._address.greeting:
                    deadline = loop.time() + self._answer_seconds
                    said = _Command(_pack(words), loop.create_future(), deadline)
                    connection.send([said])
                    await said.answer
        except TimeoutError:
            error = exceptions.TimeoutError("the server takes no connections")
        except OSError as failure:
            error = exceptions.ConnectionError(str(failure))
        except exceptions.ResponseError as failure:  # such as a database that is not there
            error = exceptions.ConnectionError(f"the server refuses: {failure}")
        except exceptions.RedisError as failure:
            error = failure
        except asyncio.CancelledError:
            connection.end(exceptions.ConnectionError("the client was closed"))
            raise
        self._connecting = None
        if error is None and connection.ended:
            error = exceptions.ConnectionError("the server has closed the connection")
        if error is not None:
            connection.end(error)
            self._fail_waiting(error)
            return
        self._connection = connection
        self._flush()

    def _lost(self, connection: _Connection) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        # What was not written yet goes out on the next connection, unless its time is up.
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0].deadline <= now:
            _fail(self._waiting.popleft(), exceptions.TimeoutError("the server does not answer"))
        self._flush()

    def _fail_waiting(self, error: exceptions.RedisError) -> None:
        waiting, self._waiting = self._waiting, deque()
        for command in waiting:
            _fail(command, error)


def connect_coalescing(settings: RedisSettings) -> CoalescingRedis:
    """The client of a service's Redis; it connects with the first command."""
    password = settings.redis_password
    return CoalescingRedis(
        settings.redis_url,
        password.get_secret_value() if password else None,
        username=settings.redis_username,
        connect_seconds=settings.redis_answer_seconds,
        answer_seconds=settings.redis_answer_seconds,
    )


class _Command:
    __slots__ = ("answer", "deadline", "packed")

    def __init__(self, packed: bytes, answer: asyncio.Future[Any], deadline: float) -> None:
        self.packed = packed
        self.answer = answer
        self.deadline = deadline


def _fail(command: _Command, error: exceptions.RedisError) -> None:
    if not command.answer.done():
        # One of its own for each: whoever raises an exception writes a traceback into it.
        command.answer.set_exception(type(error)(*error.args))


def _named(text: str) -> exceptions.RedisError:
    """The exception for an error that the server replied with."""
    return _ERRORS.get(text.partition(" ")[0], exceptions.ResponseError)(text)


class _Address:
    """Where the server is, and what to say to it first."""

    def __init__(self, url: str, username: str | None, password: str | None) -> None:
        options = cast("dict[str, Any]", parse_url(url))
        self._path: str | None = options.get("path")
        self._host: str = options.get("host", "localhost")
        self._port: int = options.get("port", 6379)
        self._tls: ssl.SSLContext | None = None
        if url.startswith("rediss:"):
            self._tls = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        self.greeting: list[tuple[str, ...]] = []
        user = username or options.get("username")
        secret = password or options.get("password")
        if secret:
            self.greeting.append(("AUTH", user, secret) if user else ("AUTH", secret))
        if options.get("db"):
            self.greeting.append(("SELECT", str(options["db"])))

    async def open(self, connection: _Connection) -> None:
        """Connect. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self._path is not None:
            await loop.create_unix_connection(lambda: connection, self._path)
        else:
            await loop.create_connection(lambda: connection, self._host, self._port, ssl=self._tls)


class _Connection(asyncio.Protocol):
    """One connection: what was written waits in `pending`, in the order of the answers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writable: Callable[[], None],
        lost: Callable[[_Connection], None],
    ) -> None:
        self.pending: deque[_Command] = deque()
        self.paused = False
        self.ended = False
        self.closed = asyncio.Event()
        self._loop = loop
        self._tell_writable = writable
        self._tell_lost = lost
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._overdue: _Command | None = None
        self._reader = hiredis.Reader(
            protocolError=exceptions.ConnectionError,
            replyError=_named,
            notEnoughData=_NOTHING_YET,
        )

    def send(self, commands: Iterable[_Command]) -> None:
        """Write commands at once."""
        if self._transport is None or self.ended:
            for command in commands:
                _fail(command, exceptions.ConnectionError("the connection is closed"))
            return
        self.pending.extend(commands)
        self._transport.write(b"".join([command.packed for command in commands]))
        if self._watch is None:
            self._watch = self._loop.call_at(self.pending[0].deadline, self._look)

    def end(self, error: exceptions.RedisError) -> None:
        """Close the connection; what waits for an answer fails."""
        if self.ended:
            return
        self.ended = True
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self.pending:
            _fail(self.pending.popleft(), error)
        self._tell_lost(self)

    def _look(self) -> None:
        """See whether the oldest command is overdue: one timer serves all."""
        self._watch = None
        if not self.pending:
            return
        oldest = self.pending[0]
        if oldest is self._overdue:
            self.end(exceptions.TimeoutError("the server does not answer"))
        elif oldest.deadline <= self._loop.time():
            self._overdue = oldest
            self._watch = self._loop.call_later(_GRACE_SECONDS, self._look)
        else:
            self._watch = self._loop.call_at(oldest.deadline, self._look)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who wait for them."""
        reader, pending = self._reader, self.pending
        reader.feed(data)
        try:
            while (answer := reader.gets()) is not _NOTHING_YET:
                waiting = pending.popleft().answer
                if waiting.done():
                    continue  # its caller was cancelled
                if isinstance(answer, exceptions.RedisError):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        except (exceptions.ConnectionError, IndexError):
            self.end(exceptions.ConnectionError("this is not how Redis answers"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """The other side has closed, or `end` has."""
        self.end(exceptions.ConnectionError("the server has closed the connection"))
        self.closed.set()

    def pause_writing(self) -> None:
        """The server reads more slowly than commands come."""
        self.paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.paused = False
        self._tell_writable()
