"""Votes against shared answers. Everybody has one, so nobody alone takes an answer from all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.kit.redis import store_failures


class Votes:
    """Who said of which shared entry that it is wrong, in Redis, for `seconds` after the last one.

    Every call raises Unavailable `token_store_unavailable` when Redis does not answer.
    """

    def __init__(self, redis: CoalescingRedis, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def add(self, entry: str, owner: str) -> None:
        """Count an owner's vote, once."""
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.execute("SADD", _key(entry), owner)
            await self._redis.execute("EXPIRE", _key(entry), self._seconds)

    async def has(self, entry: str, owner: str) -> bool:
        """Whether an owner has voted."""
        with store_failures("token_store_unavailable", "The token store"):
            return bool(await self._redis.execute("SISMEMBER", _key(entry), owner))

    async def counted(self, entries: Sequence[str]) -> list[int]:
        """How many votes there are against each of these."""
        with store_failures("token_store_unavailable", "The token store"):
            counting = (self._redis.execute("SCARD", _key(entry)) for entry in entries)
            return [int(count) for count in await asyncio.gather(*counting)]


def _key(entry: str) -> str:
    return f"ask:semantic:votes:{entry}"
