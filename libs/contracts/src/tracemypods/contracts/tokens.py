"""Access tokens: how they look, how they are checked, and the record behind one.

A token is a readable prefix, 32 base62 characters (190 bits) and a six-character checksum. The
checksum is keyed, so whoever has not the key cannot make junk that reaches a store; the stores know
a token only by an HMAC under a second key. The token service writes the records; the ask service
reads them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tracemypods.kit.errors import Unauthorized
from tracemypods.kit.settings import MINIMUM_SECRET_LENGTH

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: list[str] = [first + second for second in ALPHABET for first in ALPHABET]
"""Two characters at a time: every request has a checksum to be computed."""

FREE_PREFIX = "tmpods_free_"
PREMIUM_PREFIX = "tmpods_premium_"
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6

Plan = Literal["free", "premium"]

NO_RECORD = "-"
"""Stands in Redis where a record would, for a token that MongoDB did not know a moment ago."""

TOMBSTONE_SECONDS = 600
"""How long a tombstone stays: longer than any copy of a premium token's record lives."""

ChecksumKey = Annotated[
    SecretStr,
    Field(
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_TOKEN_CHECKSUM_KEY",
        description="Key of the tokens' checksum (secret; the same for token and ask)",
    ),
]
HashKey = Annotated[
    SecretStr,
    Field(
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_TOKEN_HASH_KEY",
        description="Key of the hash under which tokens are stored "
        "(secret; the same for token and ask)",
    ),
]
PreviousHashKey = Annotated[
    SecretStr | None,
    Field(
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_TOKEN_HASH_KEY_PREVIOUS",
        description="The hash key before it was rotated; tokens stored under it go on working",
    ),
]


class TokenError(Unauthorized):
    """A token does not hold: `token_missing`, `_malformed`, `_expired` or `_revoked`."""


_GET_ONE = "Get a free token with POST /api/token."


class TokenRecord(BaseModel):
    """What Redis holds under `record_key`, as JSON, and what a check answers."""

    model_config = ConfigDict(extra="ignore")

    id: str
    plan: Plan
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    suspended: bool = Field(
        default=False, exclude=True, description="Not to hold for now; not stored in Redis"
    )
    hash: str = Field(
        default="", exclude=True, description="The hash it was found under; not stored"
    )


class TokenCheck(BaseModel):
    """What ask sends to the token service when Redis has no record of a premium token.

    Only hashes travel, under the current key first and then under the previous one.
    """

    model_config = ConfigDict(extra="forbid")

    hashes: list[Annotated[str, Field(min_length=43, max_length=43)]] = Field(
        min_length=1, max_length=2
    )


class TokenCheckResult(BaseModel):
    """The answer: a record that holds or has expired, and the hash it lies under; or none."""

    model_config = ConfigDict(extra="ignore")

    record: TokenRecord | None
    hash: str = ""


def key_id(key: SecretStr) -> str:
    """A name for a key that tells nothing about it: eight hex digits of its hash."""
    return hashlib.sha256(b"key id\0" + key.get_secret_value().encode()).hexdigest()[:8]


class TokenKeys:
    """Makes and checks tokens; holds the checksum key and the hash keys, the current one first."""

    def __init__(
        self,
        *,
        checksum_key: SecretStr,
        hash_key: SecretStr,
        previous_hash_key: SecretStr | None = None,
    ) -> None:
        self._checksum_hmac = _Hmac(checksum_key.get_secret_value())
        keys = [hash_key] + ([previous_hash_key] if previous_hash_key else [])
        self._hash_hmacs = [_Hmac(key.get_secret_value()) for key in keys]
        self.hash_key_id = key_id(hash_key)

    def new_free_token(self) -> str:
        """A fresh free token."""
        return self.with_checksum(
            FREE_PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
        )

    def with_checksum(self, body: str) -> str:
        """A whole token from its prefix and its secret characters."""
        return body + self._checksum(body)

    def check_form(self, token: str) -> Plan:
        """The plan of a well-formed token; what was never issued here is refused.

        No store is asked. Raises TokenError `token_malformed`.
        """
        plan: Plan = "premium" if token.startswith(PREMIUM_PREFIX) else "free"
        prefix = PREMIUM_PREFIX if plan == "premium" else FREE_PREFIX
        body, checksum = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
        if (
            not token.isascii()
            or not token.startswith(prefix)
            or len(token) != len(prefix) + SECRET_LENGTH + CHECKSUM_LENGTH
            or not hmac.compare_digest(checksum, self._checksum(body))
        ):
            raise TokenError(
                f"This is not a token of this service. {_GET_ONE}", code="token_malformed"
            )
        return plan

    def keyed_hash(self, text: str) -> str:
        """43 characters that only a holder of the current hash key can compute."""
        return _name(self._hash_hmacs[0].digest(text))

    def hashes(self, token: str) -> list[str]:
        """The hashes under which a token may be stored: the current key's, then the previous."""
        return [_name(one.digest(token)) for one in self._hash_hmacs]

    def _checksum(self, body: str) -> str:
        return base62(self._checksum_hmac.digest(body), CHECKSUM_LENGTH)


class _Hmac:
    """HMAC-SHA-256 under one key, which is taken in once: that takes longer than a token does."""

    def __init__(self, key: str) -> None:
        self._begun = hmac.new(key.encode(), digestmod="sha256")

    def digest(self, text: str) -> bytes:
        """The digest of a text."""
        begun = self._begun.copy()
        begun.update(text.encode())
        return begun.digest()


def base62(digest: bytes, length: int) -> str:
    """The first characters of a digest, read as a number, in base62."""
    # The remainders below a power of 62 are the same, and of a small number found sooner.
    number: int = int.from_bytes(digest) % len(ALPHABET) ** length
    pairs: list[str] = []
    for _ in range(0, length, 2):
        number, index = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[index])
    return "".join(pairs)[:length]


def _name(digest: bytes) -> str:
    """A digest of 32 bytes as 43 characters."""
    return base64.urlsafe_b64encode(digest)[:-1].decode()


def record_key(token_hash: str) -> str:
    """The Redis key of a token's record."""
    return f"token:record:{token_hash}"


def tombstone_key(token_hash: str) -> str:
    """The Redis key that is there once a token was revoked, whatever copies of its record say."""
    return f"token:gone:{token_hash}"


def bearer_token(authorization: str | None) -> str:
    """The token in an `Authorization: Bearer …` header (RFC 6750, section 2.1).

    Raises TokenError `token_missing`.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenError(
            f"Send a token as `Authorization: Bearer <token>`. {_GET_ONE}", code="token_missing"
        )
    return token.strip()


def lookup_keys(hashes: Sequence[str]) -> list[str]:
    """The Redis keys to read, in one MGET, to check a token: records first, then tombstones."""
    return [record_key(one) for one in hashes] + [tombstone_key(one) for one in hashes]


def found_record(
    hashes: Sequence[str], stored: Sequence[str | bytes | None]
) -> TokenRecord | Literal["unknown"] | None:
    """What an MGET of `lookup_keys` says: a record, "unknown" (said lately), or None (ask further).

    Raises TokenError `token_revoked` for a token with a tombstone.
    """
    records, tombstones = stored[: len(hashes)], stored[len(hashes) :]
    if any(tombstone is not None for tombstone in tombstones):
        raise revoked()
    for token_hash, record in zip(hashes, records, strict=True):
        if record is not None:
            text = record.decode() if isinstance(record, bytes) else record
            if text == NO_RECORD:
                if token_hash == hashes[0]:
                    return "unknown"
                continue  # said by a service that has not the current key yet: it can't know
            found = TokenRecord.model_validate_json(text)
            found.hash = token_hash
            return found
    return None


def valid_record(record: TokenRecord | None, now: datetime) -> TokenRecord:
    """The record behind a well-formed token, if the token still holds.

    Raises TokenError `token_expired` (a record that is gone was issued once, or its checksum
    would not have held) or `token_revoked`.
    """
    if record is not None and record.revoked_at is not None:
        raise revoked()
    if record is None or record.expires_at <= now:
        raise TokenError(f"This token has expired. {_GET_ONE}", code="token_expired")
    return record


def revoked() -> TokenError:
    """The error for a token that was revoked or replaced."""
    return TokenError(f"This token was revoked. {_GET_ONE}", code="token_revoked")
