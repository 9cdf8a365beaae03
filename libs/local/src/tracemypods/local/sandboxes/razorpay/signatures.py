"""Signatures as Razorpay makes them: HMAC-SHA256 in hexadecimal."""

from __future__ import annotations

import hashlib
import hmac


def payment_signature(order_id: str, payment_id: str, key_secret: str) -> str:
    """What the checkout hands over beside the two ids (payments, web integration, step 1.5)."""
    return sign(f"{order_id}|{payment_id}".encode(), key_secret)


def sign(body: bytes, secret: str) -> str:
    """What `X-Razorpay-Signature` holds for a webhook's raw body (webhooks, validate and test)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
