"""Keys: where a document lies in the bucket.

A key is made of what never changes about a document, so that whoever writes it again writes the
same place, and nothing about its buyer is in it.
"""

from __future__ import annotations

import re

_YEAR = re.compile(r"20(\d\d)-(\d\d)")
_ORDER_ID = re.compile(r"ord_[0-9A-Za-z]{1,64}")
_NUMBER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9/-]{0,14}[A-Za-z0-9])?")
"""What the law allows in a document's number, which has at most 16 characters."""
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_LONGEST_KEY = 512


def document_key(financial_year: str, order_id: str, number: str) -> str:
    """The key of an invoice or credit note: `invoices/2026-27/ord_…/TMP-2627-0000123.pdf`.

    Raises ValueError for what is no such year, order or number.
    """
    year = _YEAR.fullmatch(financial_year)
    if year is None or (int(year[1]) + 1) % 100 != int(year[2]):
        raise ValueError(f"{financial_year!r} is no financial year such as 2026-27")
    if not _ORDER_ID.fullmatch(order_id):
        raise ValueError(f"{order_id!r} is no order's id")
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"{number!r} is no document's number")
    return f"invoices/{financial_year}/{order_id}/{number.replace('/', '-')}.pdf"


def require_key(key: str) -> str:
    """Return the key. Raises ValueError for one that could mean another place to somebody."""
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is no key of a file")
    return key
