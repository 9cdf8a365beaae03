"""The header that tells a browser to keep a file, and under which name (RFC 6266)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_ATTR_CHAR = "!#$&+-.^_`|~"
"""What RFC 8187 leaves as it is, besides letters and digits."""
_LONGEST = 100
_LONGEST_ENDING = 10
_NAMELESS = "file"


def content_disposition(filename: str) -> str:
    """`attachment` with the name twice: in plain ASCII for all, and as it is for who can read it.

    What is no character of a name (line ends, marks that turn the direction of reading, what
    separates folders) is left out, so that nothing can be slipped into the header.
    """
    shown = _shown(filename)
    plain = unicodedata.normalize("NFKD", shown).encode("ascii", "ignore").decode()
    plain = _NOT_PLAIN.sub("_", plain).strip("._") or _NAMELESS
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe=_ATTR_CHAR)}"


def _shown(filename: str) -> str:
    kept = "".join(
        "_" if character in '/\\:*?"<>|' else character
        for character in filename
        if not unicodedata.category(character).startswith(("C", "Zl", "Zp"))
    )
    kept = kept.strip(" .")
    # What is cut off is never the ending, by which systems know what to open a file with.
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > _LONGEST_ENDING:
        return kept[:_LONGEST].rstrip(" .") or _NAMELESS
    return f"{stem[: _LONGEST - len(ending) - 1]}.{ending}"
