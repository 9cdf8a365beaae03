"""What counts as one plain e-mail address."""

from __future__ import annotations

import re

MAXIMUM_LENGTH = 254

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?P<local>{_LOCAL})@{_LABEL}(\.{_LABEL})+", re.ASCII)


def is_address(text: str) -> bool:
    """Whether this is exactly one address in ASCII: no list, no name, no comment, no quotes.

    A domain with other letters is to come as its ASCII form (`xn--…`).
    """
    found = _ADDRESS.fullmatch(text)
    return found is not None and len(text) <= MAXIMUM_LENGTH and len(found["local"]) <= 64
