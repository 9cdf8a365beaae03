"""Open answers end when their caller's token is revoked."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tracemypods.contracts.tokens import tombstone_key

_log = logging.getLogger("tracemypods.ask.revocations")

SECONDS_BETWEEN = 0.4
"""A revocation shows everywhere within a second."""


class Revocations:
    """Looks for the tombstones of all tokens with an open answer, in one command for all."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open: Counter[str] = Counter()
        self._revoked: dict[str, asyncio.Future[None]] = {}
        self._someone = asyncio.Event()

    @contextmanager
    def watching(self, token_hash: str) -> Generator[asyncio.Future[None]]:
        """While the block runs, the future that it gets is done when the token is revoked.

        It is the same for all who watch that token, so nobody may cancel it.
        """
        revoked = self._revoked.get(token_hash)
        if revoked is None:
            revoked = self._revoked[token_hash] = asyncio.get_running_loop().create_future()
        self._open[token_hash] += 1
        self._someone.set()
        try:
            yield revoked
        finally:
            self._open[token_hash] -= 1
            if not self._open[token_hash]:
                del self._open[token_hash], self._revoked[token_hash]

    async def keep_looking(self) -> None:
        """Look for ever. A Redis that is away is no reason to end answers that began with it."""
        while True:
            if not self._open:
                self._someone.clear()
                await self._someone.wait()
            hashes = list(self._open)
            try:
                found = await self._redis.mget([tombstone_key(one) for one in hashes])
            except RedisError as error:
                _log.warning("can't look for revocations", extra={"reason": type(error).__name__})
            else:
                for token_hash, tombstone in zip(hashes, found, strict=True):
                    revoked = self._revoked.get(token_hash)
                    if tombstone is not None and revoked is not None and not revoked.done():
                        revoked.set_result(None)
            await asyncio.sleep(SECONDS_BETWEEN)
