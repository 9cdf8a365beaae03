"""Who asks: the bearer token, checked against the records of the token service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracemypods.ask.premium_check import PremiumCheck
from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.contracts.tokens import (
    Plan,
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


@dataclass(frozen=True)
class Credential:
    """A well-formed token: its plan, and the hashes under which its record may lie."""

    plan: Plan
    hashes: Sequence[str]


class Callers:
    """Recognises callers by their tokens: one look at Redis, and for a premium token that Redis
    has no copy of, a question to the token service."""

    def __init__(
        self,
        redis: CoalescingRedis,
        keys: TokenKeys,
        clock: Clock,
        premium: PremiumCheck | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._premium = premium

    def credential(self, authorization: str | None) -> Credential:
        """The token in an Authorization header. No store is asked. Raises TokenError."""
        token = bearer_token(authorization)
        return Credential(self._keys.check_form(token), self._keys.hashes(token))

    async def recognise(self, credential: Credential) -> TokenRecord:
        """The record behind a token.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        with store_failures("token_store_unavailable", "The token store"):
            stored = await self._redis.execute("MGET", *lookup_keys(credential.hashes))
        return await self.decide(credential, stored)

    async def decide(
        self, credential: Credential, stored: Sequence[str | bytes | None]
    ) -> TokenRecord:
        """The record behind a token, once an MGET of its `lookup_keys` was answered.

        Raises TokenError, or Unavailable `token_store_unavailable`.
        """
        found = found_record(credential.hashes, stored)
        if found == "unknown":
            raise revoked()
        if found is None and credential.plan == "premium" and self._premium is not None:
            found = await self._premium.record(credential.hashes)
            if found is None:
                raise revoked()
        return valid_record(found, self._clock())
