"""India's financial year: from 1 April to 31 March, in India's time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

INDIA = timezone(timedelta(hours=5, minutes=30))
"""Asia/Kolkata: one offset all year round, and no other since 1945."""
APRIL = 4


def financial_year(milliseconds: int) -> int:
    """The calendar year in which the financial year of a Unix time began."""
    at = datetime.fromtimestamp(milliseconds / 1000, INDIA)
    return at.year if at.month >= APRIL else at.year - 1


def short_form(year: int) -> str:
    """Such as `2627` for the one that began in 2026, as numbers of documents have it."""
    return f"{year % 100:02d}{(year + 1) % 100:02d}"


def long_form(year: int) -> str:
    """Such as `2026-27`."""
    return f"{year}-{(year + 1) % 100:02d}"
