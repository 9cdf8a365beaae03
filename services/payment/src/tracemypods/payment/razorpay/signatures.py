"""Razorpay's signatures: HMAC-SHA256 in hexadecimal, over bytes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr


def signature(message: bytes, secret: SecretStr) -> str:
    """The signature of a message."""
    return hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()


def is_signed(message: bytes, given: bytes, secrets: Sequence[SecretStr]) -> bool:
    """Whether `given` is the message's signature under one of the secrets.

    It takes as long whichever secret it is, and any bytes may be given.
    """
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(signature(message, secret).encode(), given)
    return found


def is_payment_signed(order_id: str, payment_id: str, given: str, key_secret: SecretStr) -> bool:
    """Whether `given` is what Razorpay's checkout signs a successful payment with.

    The order's id must be from our own records and not from whoever shows the signature
    (documentation, "Verify Payment Signature").
    """
    message = f"{order_id}|{payment_id}".encode()
    return is_signed(message, given.encode("utf-8", "surrogatepass"), [key_secret])
