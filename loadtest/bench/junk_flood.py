"""Well-formed premium tokens that nobody issued, no two the same, as fast as one core sends them:
`python -m loadtest.bench.junk_flood URL COUNT CONNECTIONS` prints what came of it, as JSON.

Prefix, length and alphabet are right; the checksum is keyed, so it can only be guessed. The process
gives way to others on its core, so that good callers and Redis there wait for the token service
only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import uvloop

from tracemypods.contracts.tokens import ALPHABET, CHECKSUM_LENGTH, PREMIUM_PREFIX, SECRET_LENGTH

_LEAST_PRIORITY = 19
_TO_ALPHABET = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))


def junk(count: int) -> Iterator[bytes]:
    """So many tokens."""
    salt = os.urandom(16)
    for number in range(count):
        digest = hashlib.sha512(salt + number.to_bytes(8)).digest()
        yield digest[: SECRET_LENGTH + CHECKSUM_LENGTH].translate(_TO_ALPHABET)


class _Connection(asyncio.Protocol):
    """Sends the next token whenever the last one was refused."""

    def __init__(self, head: bytes, tokens: Iterator[bytes]) -> None:
        self._head = head
        self._tokens = tokens
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.refused = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"}"):  # the problem document is the end of an answer
            return
        if not self._received.startswith(b"HTTP/1.1 401 "):
            self._end(RuntimeError(f"junk was answered {self._received[:300]!r}"))
            return
        self.refused += 1
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server hung up"))

    def _send(self) -> None:
        token = next(self._tokens, None)
        if token is None or self._transport is None:
            self._end(None)
        else:
            self._transport.write(self._head + token + b"\r\n\r\n")

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def _flood(url: str, count: int, connections: int) -> dict[str, float]:
    address = urlsplit(url)
    head = (
        f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {PREMIUM_PREFIX}"
    ).encode()
    tokens = junk(count)
    started = time.perf_counter()
    made = [
        await asyncio.get_running_loop().create_connection(
            lambda: _Connection(head, tokens), address.hostname or "", address.port or 80
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.ended for _, connection in made))
    return {
        "refused": sum(connection.refused for _, connection in made),
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Send them all."""
    url, count, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.nice(_LEAST_PRIORITY)
    print(json.dumps(uvloop.run(_flood(url, count, connections))))


if __name__ == "__main__":
    main()
