"""HTTP between services and to models: pooled, with explicit timeouts and named failures."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
from pydantic import SecretStr

from tracemypods.kit import deadlines
from tracemypods.kit.context import request_id

KEEP_ALIVE_SECONDS = 3.0
"""How long an idle connection is kept. uvicorn and llama.cpp close theirs after 5 s, and a question
that is sent just then is lost."""


class DependencyError(Exception):
    """A call to another server failed. `dependency` is its name, for messages and logs."""

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"{dependency}: {reason}")
        self.dependency = dependency
        self.reason = reason


class DependencyDown(DependencyError):
    """It cannot be reached, or broke off."""


class DependencyUnreachable(DependencyDown):
    """No connection could be made, so nothing was asked."""


class DependencyTimeout(DependencyError):
    """It did not answer in time."""


class HttpClient:
    """A client for one server.

    Times are in seconds: `connect` until the connection stands, `total` for a whole call (not for
    streams), `read` between two parts of an answer. A request that has less time left (see
    `kit.deadlines`) waits no longer than that. Nothing is retried here.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        connect: float,
        total: float,
        read: float | None = None,
        bearer: SecretStr | None = None,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._bearer = bearer
        self._connect = connect
        self._read = read
        self._total = total
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:  # made on first use, since it belongs to the running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _headers(self) -> dict[str, str]:
        headers = {"X-Request-Id": request_id()} if request_id() else {}
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer.get_secret_value()}"
        if (left := deadlines.header_value()) is not None:
            headers[deadlines.HEADER] = left
        return headers

    async def open(
        self, method: str, path: str, json: Mapping[str, Any] | None = None
    ) -> aiohttp.ClientResponse:
        """Make a call and return its answer to be read as it comes; the caller closes it.

        Raises DependencyDown or DependencyTimeout. Read it inside `named_failures`.
        """
        with self.named_failures():
            return await self._request(method, path, json, read=self._read)

    async def call(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Make a call, with `headers` beside ours, and return its status and whole body.

        Raises DependencyDown or DependencyTimeout.
        """
        with self.named_failures():
            call = self._request(method, path, json, total=self._total, headers=headers)
            async with await call as response:
                return response.status, await response.read()

    async def _request(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None,
        *,
        total: float | None = None,
        read: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(
            total=deadlines.at_most(total), sock_connect=self._connect, sock_read=read
        )
        return await self._open_session().request(
            method,
            f"{self._base_url}{path}",
            json=json,
            headers={**self._headers(), **(headers or {})},
            timeout=timeout,
            allow_redirects=False,
        )

    @contextmanager
    def named_failures(self) -> Generator[None]:
        """Turn whatever aiohttp raises inside into a DependencyError with this server's name."""
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise DependencyUnreachable(self.name, type(error).__name__) from error
        except TimeoutError as error:  # before ClientError: aiohttp's timeouts are both
            raise DependencyTimeout(self.name, "no answer in time") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise DependencyDown(self.name, type(error).__name__) from error
