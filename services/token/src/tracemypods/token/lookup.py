"""Checking a token: Redis first, and MongoDB for a premium one that Redis has no copy of."""

from __future__ import annotations

import random
from collections.abc import Sequence

from redis.asyncio import Redis

from tracemypods.contracts.tokens import (
    NO_RECORD,
    TOMBSTONE_SECONDS,
    Plan,
    TokenKeys,
    TokenRecord,
    found_record,
    lookup_keys,
    record_key,
    revoked,
    tombstone_key,
    valid_record,
)
from tracemypods.kit.clock import Clock
from tracemypods.kit.redis import store_failures
from tracemypods.token.premium import PremiumTokens

UNKNOWN_SECONDS = 30


class Lookup:
    """Checks tokens and revokes them.

    A premium token's record is copied to Redis for less than a minute, with jitter so that copies
    made together do not run out together. What MongoDB does not know is remembered too, for half
    that time, so that a flood of the same unknown token reads it once.
    """

    def __init__(
        self,
        redis: Redis,
        premium: PremiumTokens,
        keys: TokenKeys,
        clock: Clock,
        *,
        cache_seconds: int,
    ) -> None:
        self._redis = redis
        self._premium = premium
        self._keys = keys
        self._clock = clock
        self._cache_seconds = cache_seconds

    def hashes(self, token: str) -> list[str]:
        """The hashes under which a token may be stored."""
        return self._keys.hashes(token)

    async def record(self, token: str) -> TokenRecord:
        """The record of a token that holds.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        plan = self._keys.check_form(token)
        hashes = self._keys.hashes(token)
        with store_failures("token_store_unavailable", "The token store"):
            stored = await self._redis.mget(lookup_keys(hashes))
        return await self.decide(plan, hashes, stored)

    async def decide(
        self, plan: Plan, hashes: Sequence[str], stored: Sequence[str | bytes | None]
    ) -> TokenRecord:
        """The record of a token that holds, once an MGET of its `lookup_keys` was answered.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        found = found_record(hashes, stored)
        if found == "unknown":
            raise revoked()
        if found is None and plan == "premium":
            found = await self.premium_record(hashes)
            if found is None:
                raise revoked()
        return valid_record(found, self._clock())

    async def premium_record(self, hashes: Sequence[str]) -> TokenRecord | None:
        """What MongoDB knows of a premium token; copied to Redis for the next time.

        Raises TokenError `token_revoked`, or Unavailable `token_store_unavailable`.
        """
        record = await self._premium.find(hashes)
        if record is None:
            await self._remember(hashes[0], NO_RECORD, UNKNOWN_SECONDS)
            return None
        if record.suspended:
            # For so short a time that a tombstone written late does not outlast the suspension.
            await self.bury([record.hash], UNKNOWN_SECONDS)
            raise revoked()
        if record.revoked_at is not None:
            # Also when its tombstone could not be written at the time.
            await self.bury([record.hash])
            raise revoked()
        await self._remember(record.hash, record.model_dump_json(exclude_none=True), self._jitter())
        return record

    async def bury(self, hashes: Sequence[str], seconds: int = TOMBSTONE_SECONDS) -> None:
        """Write tombstones, then delete the records' copies.

        In this order: a check between the two finds the tombstone. Raises Unavailable
        `token_store_unavailable`.
        """
        with store_failures("token_store_unavailable", "The token store"):
            async with self._redis.pipeline(transaction=True) as pipeline:
                for one in hashes:
                    pipeline.set(tombstone_key(one), 1, ex=seconds)
                for one in hashes:
                    pipeline.delete(record_key(one))
                await pipeline.execute()

    async def unbury(self, token_hash: str) -> None:
        """Take away a tombstone. Raises Unavailable `token_store_unavailable`."""
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.delete(tombstone_key(token_hash))

    async def forget(self, token_hash: str) -> None:
        """Drop the copy of a record that has changed.

        Raises Unavailable `token_store_unavailable`.
        """
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.delete(record_key(token_hash))

    async def _remember(self, token_hash: str, text: str, seconds: int) -> None:
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.set(record_key(token_hash), text, ex=seconds)

    def _jitter(self) -> int:
        return self._cache_seconds + random.randrange(self._cache_seconds // 3 + 1)  # noqa: S311
