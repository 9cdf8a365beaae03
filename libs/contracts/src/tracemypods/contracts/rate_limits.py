"""How services tell callers what is left of a limit."""

from __future__ import annotations


def rate_limit_headers(limit: int, remaining: int, reset_seconds: int) -> dict[str, str]:
    """The RateLimit fields of the IETF draft, in the form that most clients know (draft 6)."""
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(reset_seconds),
    }
