"""Access tokens: how they look, how they are checked, and the record behind one.

A token is a readable prefix, 32 random base62 characters (190 bits) and a six-character
checksum. The checksum is keyed, so whoever has not the key cannot make junk that reaches the
store; the store knows a token only by an HMAC under a second key. The token service writes the
records; the ask service reads them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tracemypods.kit.errors import Unauthorized

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FREE_PREFIX = "tmpods_free_"
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6

Plan = Literal["free"]

ChecksumKey = Annotated[
    SecretStr,
    Field(
        min_length=32,
        validation_alias="TRACEMYPODS_TOKEN_CHECKSUM_KEY",
        description="Key of the tokens' checksum (secret; the same for token and ask)",
    ),
]
HashKey = Annotated[
    SecretStr,
    Field(
        min_length=32,
        validation_alias="TRACEMYPODS_TOKEN_HASH_KEY",
        description="Key of the hash under which tokens are stored "
        "(secret; the same for token and ask)",
    ),
]


class TokenError(Unauthorized):
    """A token does not hold: `token_missing`, `_malformed`, `_expired` or `_revoked`."""


_GET_ONE = "Get a free token with POST /api/token."


class TokenRecord(BaseModel):
    """What the store holds under `TokenKeys.record_key`, as JSON, until the token expires."""

    model_config = ConfigDict(extra="ignore")

    id: str
    plan: Plan
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class TokenKeys:
    """Makes and checks tokens; holds both keys."""

    def __init__(self, *, checksum_key: SecretStr, hash_key: SecretStr) -> None:
        self._checksum_key = checksum_key.get_secret_value().encode()
        self._hash_key = hash_key.get_secret_value().encode()

    def new_free_token(self) -> str:
        """A fresh free token."""
        body = FREE_PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
        return body + self._checksum(body)

    def check_form(self, token: str) -> None:
        """Refuse what was never issued here, without asking the store.

        Raises TokenError `token_malformed`.
        """
        body, checksum = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
        if (
            not token.isascii()
            or not token.startswith(FREE_PREFIX)
            or len(token) != len(FREE_PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH
            or not hmac.compare_digest(checksum, self._checksum(body))
        ):
            raise TokenError(
                f"This is not a token of this service. {_GET_ONE}", code="token_malformed"
            )

    def record_key(self, token: str) -> str:
        """The Redis key of a token's record; it does not reveal the token."""
        return f"token:free:{self.keyed_hash(token)}"

    def keyed_hash(self, text: str) -> str:
        """43 characters that only a holder of the hash key can compute."""
        digest = hmac.digest(self._hash_key, text.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _checksum(self, body: str) -> str:
        number = int.from_bytes(hmac.digest(self._checksum_key, body.encode(), hashlib.sha256))
        characters: list[str] = []
        for _ in range(CHECKSUM_LENGTH):
            number, index = divmod(number, len(ALPHABET))
            characters.append(ALPHABET[index])
        return "".join(characters)


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


def valid_record(stored: str | bytes | None, now: datetime) -> TokenRecord:
    """The record that was found under a well-formed token's key, if the token still holds.

    Raises TokenError `token_expired` (a record that is gone was issued once, or its checksum
    would not have held) or `token_revoked`.
    """
    record = TokenRecord.model_validate_json(stored) if stored is not None else None
    if record is not None and record.revoked_at is not None:
        raise TokenError(f"This token was revoked. {_GET_ONE}", code="token_revoked")
    if record is None or record.expires_at <= now:
        raise TokenError(f"This token has expired. {_GET_ONE}", code="token_expired")
    return record
