"""Tokens as the token service issues them, under keys that only tests use."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from redis import Redis

from tracemypods.contracts.tokens import (
    ALPHABET,
    PREMIUM_PREFIX,
    SECRET_LENGTH,
    Plan,
    TokenKeys,
    TokenRecord,
    record_key,
    tombstone_key,
)
from tracemypods.kit.ids import new_id
from tracemypods.local.testing.valkey import Valkey

CHECKSUM_KEY = SecretStr("checksum-key-of-the-tests-0123456789")
HASH_KEY = SecretStr("hash-key-of-the-tests-0123456789abcd")
KEYS = TokenKeys(checksum_key=CHECKSUM_KEY, hash_key=HASH_KEY)


def store_token(
    valkey: Valkey, *, plan: Plan = "free", expires_in: float = 3600, revoked: bool = False
) -> str:
    """Put a token's record into the store. `expires_in` is in seconds from now."""
    token = new_token(plan)
    now = datetime.now(UTC)
    record = TokenRecord(
        id=new_id("tok"), plan=plan, issued_at=now, expires_at=now + timedelta(seconds=expires_in)
    )
    token_hash = KEYS.keyed_hash(token)
    with Redis(port=valkey.port, password=valkey.password) as redis:
        redis.set(record_key(token_hash), record.model_dump_json(exclude_none=True), ex=3600)
        if revoked:
            redis.set(tombstone_key(token_hash), 1, ex=3600)
    return token


def new_token(plan: Plan = "free") -> str:
    """A well-formed token without a record."""
    if plan == "free":
        return KEYS.new_free_token()
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return KEYS.with_checksum(PREMIUM_PREFIX + secret)
