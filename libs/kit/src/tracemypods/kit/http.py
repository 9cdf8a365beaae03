"""HTTP between services and to models: pooled, with explicit timeouts and named failures."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import SecretStr

from tracemypods.kit.context import request_id


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

    Times are in seconds: `connect` until the connection stands, `read` between two parts of an
    answer, `total` for a whole call (not for streams). Nothing is retried here.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        connect: float,
        read: float | None,
        total: float,
        bearer: SecretStr | None = None,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._bearer = bearer
        self._call_timeout = aiohttp.ClientTimeout(total=total, sock_connect=connect)
        self._stream_timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect, sock_read=read
        )
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:  # made on first use, since it belongs to the running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _headers(self) -> dict[str, str]:
        headers = {"X-Request-Id": request_id()} if request_id() else {}
        if self._bearer is not None:
            headers["Authorization"] = f"Bearer {self._bearer.get_secret_value()}"
        return headers

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, json: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Make a call and give its answer as it comes; leaving the context hangs up.

        Raises DependencyDown or DependencyTimeout, also while the answer is read inside.
        """
        async with (
            self._named_failures(),
            self._open_session().request(
                method,
                f"{self._base_url}{path}",
                json=json,
                headers=self._headers(),
                timeout=self._stream_timeout,
                allow_redirects=False,
            ) as response,
        ):
            yield response

    async def call(
        self, method: str, path: str, json: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """Make a call and return its status and whole body.

        Raises DependencyDown or DependencyTimeout.
        """
        async with (
            self._named_failures(),
            self._open_session().request(
                method,
                f"{self._base_url}{path}",
                json=json,
                headers=self._headers(),
                timeout=self._call_timeout,
                allow_redirects=False,
            ) as response,
        ):
            return response.status, await response.read()

    @asynccontextmanager
    async def _named_failures(self) -> AsyncGenerator[None]:
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise DependencyUnreachable(self.name, type(error).__name__) from error
        except TimeoutError as error:  # before ClientError: aiohttp's timeouts are both
            raise DependencyTimeout(self.name, "no answer in time") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise DependencyDown(self.name, type(error).__name__) from error
