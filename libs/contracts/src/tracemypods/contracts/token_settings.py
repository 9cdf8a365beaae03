"""The settings that every service which checks tokens shares."""

from __future__ import annotations

from tracemypods.contracts.tokens import ChecksumKey, HashKey, PreviousHashKey, TokenKeys
from tracemypods.kit.redis import RedisSettings


class TokenSettings(RedisSettings):
    """The keys of tokens, and the Redis that holds their records."""

    token_checksum_key: ChecksumKey
    token_hash_key: HashKey
    token_hash_key_previous: PreviousHashKey = None

    def token_keys(self) -> TokenKeys:
        """The keys, ready for use."""
        return TokenKeys(
            checksum_key=self.token_checksum_key,
            hash_key=self.token_hash_key,
            previous_hash_key=self.token_hash_key_previous,
        )
