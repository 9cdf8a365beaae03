"""How the word tables are written: words between blanks, so that a table reads like text."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def in_order(text: str) -> list[str]:
    """The words of a table whose order counts."""
    return text.split()


def replacements(text: str) -> dict[str, str]:
    """A table of `canonical: other, other` lines as what replaces what."""
    entries: dict[str, str] = {}
    for line in text.strip().splitlines():
        canonical, _, others = line.partition(": ")
        entries.update((other, canonical) for other in others.split(", ") if other != canonical)
    return entries
