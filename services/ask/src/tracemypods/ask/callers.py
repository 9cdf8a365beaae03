"""Who asks: the bearer token, checked against the records of the token service."""

from __future__ import annotations

from redis.asyncio import Redis

from tracemypods.contracts.tokens import TokenKeys, TokenRecord, bearer_token, valid_record
from tracemypods.kit.clock import Clock
from tracemypods.kit.redis import store_failures


class Callers:
    """Recognises callers by their tokens."""

    def __init__(self, redis: Redis, keys: TokenKeys, clock: Clock) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock

    async def recognise(self, authorization: str | None) -> TokenRecord:
        """The token behind an Authorization header.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        token = bearer_token(authorization)
        self._keys.check_form(token)
        with store_failures("token_store_unavailable", "The token store"):
            stored = await self._redis.get(self._keys.record_key(token))
        return valid_record(stored, self._clock())
