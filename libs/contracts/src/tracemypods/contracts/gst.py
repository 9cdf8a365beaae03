"""India's goods and services tax: the states' codes, and the form of a GSTIN."""

from __future__ import annotations

import re

STATES = {
    "01": "Jammu and Kashmir",
    "02": "Himachal Pradesh",
    "03": "Punjab",
    "04": "Chandigarh",
    "05": "Uttarakhand",
    "06": "Haryana",
    "07": "Delhi",
    "08": "Rajasthan",
    "09": "Uttar Pradesh",
    "10": "Bihar",
    "11": "Sikkim",
    "12": "Arunachal Pradesh",
    "13": "Nagaland",
    "14": "Manipur",
    "15": "Mizoram",
    "16": "Tripura",
    "17": "Meghalaya",
    "18": "Assam",
    "19": "West Bengal",
    "20": "Jharkhand",
    "21": "Odisha",
    "22": "Chhattisgarh",
    "23": "Madhya Pradesh",
    "24": "Gujarat",
    "26": "Dadra and Nagar Haveli and Daman and Diu",
    "27": "Maharashtra",
    "29": "Karnataka",
    "30": "Goa",
    "31": "Lakshadweep",
    "32": "Kerala",
    "33": "Tamil Nadu",
    "34": "Puducherry",
    "35": "Andaman and Nicobar Islands",
    "36": "Telangana",
    "37": "Andhra Pradesh",
    "38": "Ladakh",
    "97": "Other territory",
}
"""By code, as the GST portal lists them: 25 was merged into 26, and 28 became 37.

The pages have the same list in `frontend/site/pay/places.js`; a test holds the two together.
"""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# State, PAN (five letters, four digits, a letter), number of the registration, Z, check character.
_FORM = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]")


def gstin_problem(gstin: str) -> str | None:
    """What is wrong with a GSTIN; None if its form and its check character hold."""
    if not _FORM.fullmatch(gstin):
        return "a GSTIN has 15 characters, such as 27AAPFU0939F1ZV"
    if gstin[:2] not in STATES:
        return f"there is no state with the code {gstin[:2]}"
    if check_character(gstin[:14]) != gstin[14]:
        return "its last character does not fit the others: one of them is mistyped"
    return None


def check_character(first: str) -> str:
    """The fifteenth character of a GSTIN from its first fourteen.

    Each character's value is weighted by 1 and 2 in turn; quotient and remainder by 36 are summed,
    and the sum is made up to a multiple of 36.
    """
    total = 0
    for place, character in enumerate(first):
        product = _ALPHABET.index(character) * (1 + place % 2)
        total += product // 36 + product % 36
    return _ALPHABET[-total % 36]
