"""Tokens as the token service issues them, under keys that only tests use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from redis import Redis

from tracemypods.contracts.tokens import TokenKeys, TokenRecord
from tracemypods.local.testing.valkey import Valkey

CHECKSUM_KEY = SecretStr("checksum-key-of-the-tests-0123456789")
HASH_KEY = SecretStr("hash-key-of-the-tests-0123456789abcd")
KEYS = TokenKeys(checksum_key=CHECKSUM_KEY, hash_key=HASH_KEY)


def store_token(valkey: Valkey, *, expires_in: float = 3600, revoked: bool = False) -> str:
    """Put a token's record into the store. `expires_in` is in seconds from now."""
    token = KEYS.new_free_token()
    now = datetime.now(UTC)
    record = TokenRecord(
        id="tok_test",
        plan="free",
        issued_at=now,
        expires_at=now + timedelta(seconds=expires_in),
        revoked_at=now if revoked else None,
    )
    with Redis(port=valkey.port, password=valkey.password) as redis:
        redis.set(KEYS.record_key(token), record.model_dump_json(), ex=3600)
    return token
