"""A clock for tests."""

from __future__ import annotations

from datetime import datetime, timedelta


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Go on by what timedelta takes."""
        self.now += timedelta(**by)
