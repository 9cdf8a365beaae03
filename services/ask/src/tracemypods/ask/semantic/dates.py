"""Dates and times of day: one token each, however they are written.

A date in figures with slashes stays as it is, since nobody can tell day from month in it.
"""

from __future__ import annotations

import re

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        1,
    )
    for name in names
}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"(?P<{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_YEAR = r"(?:,? (?P<{0}>\d{{4}}))?(?![\d:])"

PATTERN = "|".join(
    (
        r"(?P<iso>\b\d{4}-\d{2}-\d{2}\b)",
        rf"\b{_DAY.format('day1')} (?:of )?(?P<month1>{_MONTH})\b{_YEAR.format('year1')}",
        rf"\b(?P<month2>{_MONTH}) {_DAY.format('day2')}\b{_YEAR.format('year2')}",
        r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>am|pm|a\.m\.|p\.m\.)(?!\w)",
        r"\b(?P<clock>\d{1,2}:\d{2})\b",
    )
)
"""What `token` reads, as part of a larger pattern that ignores case."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DECADE = re.compile(r"(\d{4})'?s")


def token(found: re.Match[str]) -> str:
    """The token of a date or time that `PATTERN` has found."""
    part = found.groupdict()
    if part["iso"]:
        return "d:" + part["iso"]
    for form in "12":
        if part["month" + form]:
            month, day = MONTHS[part["month" + form].lower()], int(part["day" + form])
            return f"d:{part['year' + form] or '?'}-{month:02}-{day:02}"
    if part["clock"]:
        hour, minute = part["clock"].split(":")
        return f"d:{int(hour)}:{minute}"
    hour = int(part["hour"]) % 12 + (12 if part["half"].lower().startswith("p") else 0)
    return f"d:{hour}:{part['minute'] or '00'}"


def word(text: str) -> str | None:
    """The token of a weekday, a month or a decade in one word; `may` and `march` are words."""
    low = text.lower()
    if low in WEEKDAYS or low.removesuffix("s") in WEEKDAYS:
        return "d:" + low.removesuffix("s")
    if low in MONTHS and low not in ("may", "march", "mar", "jan", "sep", "dec", "jun"):
        return f"d:month{MONTHS[low]}"
    if low in ("may", "march") and text[0].isupper():
        return f"d:month{MONTHS[low]}"
    decade = _DECADE.fullmatch(low)
    return f"d:{decade[1]}s" if decade else None
