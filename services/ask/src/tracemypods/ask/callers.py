"""Who asks: the bearer token, checked against the records of the token service."""

from __future__ import annotations

from redis.asyncio import Redis

from tracemypods.ask.premium_check import PremiumCheck
from tracemypods.contracts.tokens import (
    TokenKeys,
    TokenRecord,
    bearer_token,
    found_record,
    lookup_keys,
    revoked,
    valid_record,
)
from tracemypods.kit.clock import Clock
from tracemypods.kit.redis import store_failures


class Callers:
    """Recognises callers by their tokens: one look at Redis, and for a premium token that Redis
    has no copy of, a question to the token service."""

    def __init__(
        self,
        redis: Redis,
        keys: TokenKeys,
        clock: Clock,
        premium: PremiumCheck | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._premium = premium

    async def recognise(self, authorization: str | None) -> TokenRecord:
        """The token behind an Authorization header.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        token = bearer_token(authorization)
        plan = self._keys.check_form(token)
        hashes = self._keys.hashes(token)
        with store_failures("token_store_unavailable", "The token store"):
            stored = await self._redis.mget(lookup_keys(hashes))
        found = found_record(hashes, stored)
        if found == "unknown":
            raise revoked()
        if found is None and plan == "premium" and self._premium is not None:
            found = await self._premium.record(hashes)
            if found is None:
                raise revoked()
        return valid_record(found, self._clock())
