"""Amounts in words, as India counts: thousand, lakh, crore."""

from __future__ import annotations

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_UNITS = ((10_000_000, "crore"), (100_000, "lakh"), (1000, "thousand"), (100, "hundred"))


def rupees_in_words(paise: int) -> str:
    """An amount such as `Rupees one lakh two hundred and fifty paise only`."""
    rupees, rest = divmod(abs(paise), 100)
    parts = ["Minus rupees" if paise < 0 else "Rupees", number(rupees)]
    if rest:
        parts += ["and", number(rest), "paise"]
    return " ".join([*parts, "only"])


def number(value: int) -> str:
    """A whole number, not below zero, in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = _TENS[value // 10 - 2], value % 10
        return f"{tens}-{_ONES[ones]}" if ones else tens
    size, name = next((size, name) for size, name in _UNITS if value >= size)
    many, rest = divmod(value, size)
    words = f"{number(many)} {name}"
    return f"{words} {number(rest)}" if rest else words
