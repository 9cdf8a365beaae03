"""Both stores of the token service, without HTTP, for tests of premium tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from tracemypods.contracts.tokens import TokenError, TokenKeys
from tracemypods.kit import mongo as kit_mongo
from tracemypods.kit.redis import RedisSettings, connect
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.lookup import Lookup
from tracemypods.token.premium import COLLECTION, PremiumTokens

DERIVATION_KEY = SecretStr("derivation-key-of-the-tests-01234567")
NOW = datetime(2030, 5, 17, 12, tzinfo=UTC)


EDGE_KEYS = {
    "order": SecretStr("edge-key-from-order-to-token-0123456"),
    "ask": SecretStr("edge-key-from-ask-to-token-012345678"),
}


class Store:
    """Both stores, and what the token service makes of them."""

    def __init__(self, valkey: Valkey, mongo: Mongo, **keys: Any) -> None:
        settings = kit_mongo.MongoSettings.model_validate(mongo.login())
        redis_settings = RedisSettings.model_validate(valkey.login("token"))
        self.clock = MovableClock(NOW)
        self.mongo = kit_mongo.connect(settings)
        self.redis = connect(redis_settings)
        self.keys = TokenKeys(
            checksum_key=CHECKSUM_KEY,
            hash_key=keys.get("hash_key", HASH_KEY),
            previous_hash_key=keys.get("previous_hash_key"),
        )
        self.collection = self.mongo[mongo.database][COLLECTION]
        self.premium = PremiumTokens(
            self.mongo[mongo.database],
            self.keys,
            keys.get("derivation_keys", [DERIVATION_KEY]),
            self.clock,
            only_live=False,
        )
        self.lookup = Lookup(self.redis, self.premium, self.keys, self.clock, cache_seconds=45)

    async def close(self) -> None:
        await self.mongo.close()
        await self.redis.aclose()

    async def code(self, token: str) -> str:
        """ "valid", or the code of the error that a check ends with."""
        try:
            await self.lookup.record(token)
        except TokenError as error:
            return error.code
        return "valid"
