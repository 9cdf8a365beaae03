"""Ids in Razorpay's shape: a prefix, and 14 letters and digits."""

from __future__ import annotations

import re
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
LENGTH = 14

ACCOUNT = "acc_SandboxAccount"
"""The account that everything here belongs to."""


def new_id(prefix: str = "") -> str:
    """Return a new id such as `order_DaaS6LOUAASb7Y`; without a prefix, of an event."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
    return f"{prefix}_{letters}" if prefix else letters


def is_id(prefix: str, text: str) -> bool:
    """Whether a text has the shape of an id with that prefix."""
    return re.fullmatch(rf"{prefix}_[A-Za-z0-9]{{{LENGTH}}}", text) is not None
