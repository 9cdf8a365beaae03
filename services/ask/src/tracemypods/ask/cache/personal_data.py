"""Finds what must not be kept: addresses, phone, card and identity numbers in free text.

Rather too much is found than too little: what is found is only not cached.
"""

from __future__ import annotations

import re

# One character before the @ is enough: a pattern for all of them would try every beginning of a
# long word, which takes time with the square of its length.
_EMAIL = re.compile(r"[\w.+-]@[\w-]+(?:\.[\w-]+)+")
# India's Permanent Account Number: five letters, four digits, a letter.
_PAN = re.compile(r"\b[A-Z]{5}[0-9]{4}[A-Z]\b", re.IGNORECASE)
# Groups of digits with no more between them than what people put into one number.
_DIGITS = re.compile(r"\d+(?:[ \u00a0().\-/]{1,2}\d+)*")
_GROUP = re.compile(r"\d+")

PHONE_DIGITS = range(10, 16)
"""E.164 allows up to 15 digits; national numbers with area code have 10 and more."""
CARD_DIGITS = range(13, 20)
AADHAAR_DIGITS = 12

# The dihedral group of order ten, and the permutation of Verhoeff's scheme (1969).
_MULTIPLY = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTE = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def has_personal_data(text: str) -> bool:
    """Whether a text holds an e-mail address, phone, card, PAN or Aadhaar number."""
    if _EMAIL.search(text) or _PAN.search(text):
        return True
    return any(_holds_a_number(_GROUP.findall(run)) for run in _DIGITS.findall(text))


def _holds_a_number(groups: list[str]) -> bool:
    """Whether some groups in a row make one; a card's date or a list's number may be beside."""
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) >= CARD_DIGITS.stop:
                break
            if _is_number_of_a_person(digits):
                return True
    return False


def _is_number_of_a_person(digits: str) -> bool:
    if len(digits) in CARD_DIGITS and luhn(digits):
        return True
    if len(digits) == AADHAAR_DIGITS and digits[0] not in "01" and verhoeff(digits):
        return True
    return len(digits) in PHONE_DIGITS


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others by Luhn's formula (ISO/IEC 7812-1)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def verhoeff(digits: str) -> bool:
    """Whether the last digit checks the others by Verhoeff's scheme, as Aadhaar's does."""
    check = 0
    for index, digit in enumerate(reversed(digits)):
        check = int(_MULTIPLY[check][int(_PERMUTE[index % 8][int(digit)])])
    return check == 0
