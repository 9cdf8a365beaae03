"""Time as an argument: code asks a clock, so that tests can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware and in UTC."""


def utc_now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)
