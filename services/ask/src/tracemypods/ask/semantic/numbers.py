"""Numbers: the same value gets the same token, however it is written.

A number is `#` and its digits, `#3rd` style ordinals are `#3th`. Trailing zeros stay: 3.10 is a
version of Python that 3.1 is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracemypods.ask.semantic.tables import in_order

_SMALL = in_order(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = in_order("twenty thirty forty fifty sixty seventy eighty ninety")
WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
ORDINALS = {
    word: value
    for value, word in enumerate(
        in_order(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
            "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        1,
    )
}
OPERATORS = {"+", "-", "*", "/", "^", "=", "x", "\u00d7", "÷", "\u2212"}
_SIGNS = {"x": "*", "\u00d7": "*", "÷": "/", "\u2212": "-"}

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)", re.IGNORECASE)
_SUM = re.compile(r"[\d.,]+(?:[-+*/^x\u00d7÷=][\d.,]+)+=?")
_PARTS = re.compile(r"[\d.,]+|[^\d.,]")


def number(text: str) -> str | None:
    """The token of a number in digits, None for anything else."""
    if _NUMBER.fullmatch(text):
        return "#" + text.replace(",", "").removeprefix("+")
    ordinal = _ORDINAL.fullmatch(text)
    return f"#{ordinal[1]}th" if ordinal else None


def arithmetic(text: str) -> list[str] | None:
    """The tokens of a sum without blanks, such as 12*8. None for anything else."""
    if not _SUM.fullmatch(text):
        return None
    parts = _PARTS.findall(text)
    return [operator(part) or number(part) or f"c:{part}" for part in parts]


def operator(text: str) -> str | None:
    """The token of an operator of arithmetic that stands alone."""
    return f"op:{_SIGNS.get(text, text)}" if text in OPERATORS else None


def spelled_out(words: Sequence[str]) -> list[str]:
    """Words with those in a row that make a number put together: two hundred is #200.

    `one` alone stays a word, as in "which one".
    """
    made: list[str] = []
    index = 0
    while index < len(words):
        value, used = _value(words, index)
        if used and not (used == 1 and words[index] in ("one", "dozen")):
            made.append(f"#{value}")
            index += used
            continue
        word = words[index]
        made.append(f"#{ORDINALS[word]}th" if word in ORDINALS and word != "second" else word)
        index += 1
    return made


def _value(words: Sequence[str], start: int) -> tuple[int, int]:
    """The value of the number words that begin at `start`, and how many words they are."""
    total = part = used = 0
    last = 10**12
    for word in words[start:]:
        if word in WORDS and (value := WORDS[word]) < last and (last % 10 == 0 or last > 10**9):
            part += value
            # After twenty only one to nine go on; after those, only a scale.
            last = 10 if value >= 20 else 1
        elif word in SCALES and part:
            part, last = _scaled(part, SCALES[word])
            total, part = (total + part, 0) if SCALES[word] >= 1000 else (total, part)
        elif word in SCALES and not used and start and words[start - 1] in ("a", "an"):
            part, last = SCALES[word], 100
        else:
            break
        used += 1
    return total + part, used


def _scaled(part: int, scale: int) -> tuple[int, int]:
    return part * scale, 10**12
