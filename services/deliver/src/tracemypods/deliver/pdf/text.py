"""Text of people made harmless for paper: what is printed of it, whatever it holds.

Nothing vanishes that has a shape: a character that the bundled fonts lack shows as MARK. What has
none (control and format characters, those that turn the writing direction among them) is dropped,
so that a name can't hide or rearrange what stands beside it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).with_name("fonts")

MARK = "\N{REPLACEMENT CHARACTER}"

_MOST_MARKS = 4
"""Signs upon one letter; Devanagari needs as many. More would reach into other lines."""

# Devanagari writes with joiners; anywhere else they only make one word look like another.
_JOINER = re.compile("(?<![\u0900-\u097f])[\u200c\u200d]+|[\u200c\u200d]+(?![\u0900-\u097f])")
_SPACES = re.compile(r"\s+")
_LINE_ENDS = re.compile(r"\r\n|[\n\v\f\r\x85\u2028\u2029]")


def line(text: str) -> str:
    """Text as one line."""
    text = _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()
    if text.isascii() and text.isprintable():
        return text
    text = _JOINER.sub("", text)
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        if marks > _MOST_MARKS or (category in ("Cc", "Cf") and character not in "\u200c\u200d"):
            continue
        if category[0] == "Z":
            shown.append(" ")
        elif ord(character) in _characters():
            shown.append(character)
        elif category[0] != "M":
            shown.append(MARK)
    return _SPACES.sub(" ", "".join(shown)).strip()


def lines(text: str) -> list[str]:
    """Text as the lines it has, less those that are empty."""
    found = (line(one) for one in _LINE_ENDS.split(text))
    return [one for one in found if one]


@cache
def _characters() -> frozenset[int]:
    """What the fonts have; `scripts/subset_fonts.py` lists it."""
    found: set[int] = set()
    for one in (FONTS / "characters.txt").read_text().split():
        first, last = one.split("-")
        found.update(range(int(first, 16), int(last, 16) + 1))
    return frozenset(found)
