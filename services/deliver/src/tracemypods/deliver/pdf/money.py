"""Amounts, rates and days as invoices write them. Amounts are whole paise, and stay whole."""

from __future__ import annotations

from datetime import UTC, datetime

from tracemypods.contracts.prices import CURRENCY
from tracemypods.deliver.invoices.years import INDIA

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def amount(paise: int, currency: str = CURRENCY) -> str:
    """An amount such as `₹ 1,23,456.78`: the last three digits of rupees, then pairs."""
    rupees, rest = divmod(abs(paise), 100)
    sign = "\N{MINUS SIGN}" if paise < 0 else ""
    unit = "₹" if currency == CURRENCY else currency
    return f"{sign}{unit}\N{NO-BREAK SPACE}{_grouped(rupees)}.{rest:02}"


def rate(hundredths: int) -> str:
    """A rate in hundredths of a percent, such as `9 %` or `0.25 %`."""
    whole, rest = divmod(hundredths, 100)
    fraction = f".{rest:02}".rstrip("0") if rest else ""
    return f"{whole}{fraction}\N{NO-BREAK SPACE}%"


def day(milliseconds: int) -> str:
    """The day in India, such as `24 November 2026`."""
    then = datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone(INDIA)
    return f"{then.day} {_MONTHS[then.month - 1]} {then.year}"


def _grouped(number: int) -> str:
    digits = str(number)
    groups = [digits[-3:]]
    digits = digits[:-3]
    while digits:
        groups.append(digits[-2:])
        digits = digits[:-2]
    return ",".join(reversed(groups))
