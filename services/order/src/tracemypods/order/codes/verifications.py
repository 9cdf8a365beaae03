"""Verifications: what a challenge that was met gives, bound to its purpose.

A verification is signed, and says itself whose address was proved, for what, and until when. It is
good for that time, so that a request that was lost can be repeated.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Unauthorized
from tracemypods.order.codes.challenges import Asked, Purpose

SECONDS = 1800
PREFIX = "ver_"
LONGEST = 2000


class _Claims(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str
    purpose: Purpose
    order_id: str
    until: int


class Verifications:
    """Makes and checks them."""

    def __init__(self, key: SecretStr, clock: Clock) -> None:
        self._key = b"verification\0" + key.get_secret_value().encode()
        self._clock = clock

    def make(self, proved: Asked) -> str:
        """The verification of what was proved, for SECONDS."""
        claims = _Claims(
            address=proved.address,
            purpose=proved.purpose,
            order_id=proved.order_id,
            until=int(self._clock().timestamp()) + SECONDS,
        )
        body = base64.urlsafe_b64encode(json.dumps(claims.model_dump()).encode()).decode()
        return f"{PREFIX}{body}.{self._signature(body)}"

    def read(self, verification: str, purpose: Purpose, order_id: str = "") -> str:
        """The address that was proved for this purpose and order.

        Raises Unauthorized `verification_invalid`.
        """
        body, _, signature = verification.removeprefix(PREFIX).partition(".")
        is_ours = (
            verification.isascii()
            and verification.startswith(PREFIX)
            and hmac.compare_digest(signature, self._signature(body))
        )
        if not is_ours:
            raise _invalid("It is none of ours.")
        try:
            claims = _Claims.model_validate_json(base64.urlsafe_b64decode(body))
        except (binascii.Error, ValidationError):
            raise _invalid("It is none of ours.") from None
        if claims.until <= self._clock().timestamp():
            raise _invalid("It has run out.")
        if (claims.purpose, claims.order_id) != (purpose, order_id):
            raise _invalid("It was given for something else.")
        return claims.address

    def _signature(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()


def _invalid(why: str) -> Unauthorized:
    return Unauthorized(
        f"This proof of your e-mail address can't be used. {why} Have a new code sent.",
        code="verification_invalid",
    )
