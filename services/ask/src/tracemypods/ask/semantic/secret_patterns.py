"""Finds what looks like a key, a token or a password in free text, so that it is never kept.

Rather too much is found than too little: what is found is only not cached.
"""

from __future__ import annotations

import math
import re
from collections import Counter

_KNOWN = re.compile(
    r"""\b(?:
      (?:AKIA|ASIA)[A-Z0-9]{16}\b                       # AWS
    | gh[pousr]_[A-Za-z0-9]{20}                         # GitHub
    | github_pat_[A-Za-z0-9_]{20}
    | glpat-[\w-]{16}                                   # GitLab
    | [sr]k[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9]{16}  # OpenAI, Stripe and their like
    | rzp_(?:live|test)_[A-Za-z0-9]{10}                 # Razorpay
    | xox[abeoprs]-[A-Za-z0-9-]{10}                     # Slack
    | AIza[\w-]{30}                                     # Google
    | ya29\.[\w-]{20}
    | hf_[A-Za-z0-9]{20}                                # Hugging Face
    | npm_[A-Za-z0-9]{30}
    | pypi-[\w-]{30}
    | dckr_pat_[\w-]{20}
    | SG\.[\w-]{16,32}\.[\w-]{16}                       # SendGrid
    | eyJ[\w-]{8,400}\.eyJ                              # JSON Web Token
    | Bearer\ +[\w.~+/-]{16}
    | Basic\ +[A-Za-z0-9+/]{16,400}={0,2}(?![\w+/])
    )""",
    re.VERBOSE,
)
_PASSWORD_IN_ADDRESS = re.compile(r"://[^\s/:@]{1,100}:[^\s/@]{1,100}@")
_KEY_FILES = re.compile(r"age-secret-key-1|-----begin [a-z ]{0,30}private key", re.IGNORECASE)
# A name for a secret, and something behind it that is no word of a sentence about secrets.
_NAMED = re.compile(
    r"(?<![A-Za-z0-9])(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_ -]?key"
    r"|access[_ -]?key|private[_ -]?key|credentials?|auth|pin|otp|cvv)\b[\"']?\s{0,3}"
    r"(?:=|:|\bis\b|\bwas\b|->)\s{0,3}[\"'`]?([^\s\"'`,;]{3,200})",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONG = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")

_PLACEHOLDERS = re.compile(
    r"[<\[{$%].*|x{3,}|\*{3,}|\.{3}|your.*|my.*|change.?me|example|none|null|true|false|required"
    r"|optional|string|str|bytes|the|an|not|wrong|incorrect|invalid|expired|correct|too|weak|strong"
    r"|stored|used|sent|always|never|also|only|what|how|why|missing|empty|lost|valid|it|in|on"
    r"|hashed|encrypted|os\.environ.*|getenv.*|process\.env.*|secretstr.*",
    re.IGNORECASE,
)
LONGEST_WORD_OF_LETTERS = 40
"""Longer runs of letters alone are no word in any language that has blanks."""
RANDOM_BITS = 3.6
"""Bits of entropy a character above which a long word looks random; 40 hex digits have 3.7."""


def has_secret(text: str) -> bool:
    """Whether a text holds what looks like a key, a token or a password."""
    if any(pattern.search(text) for pattern in (_KNOWN, _KEY_FILES, _PASSWORD_IN_ADDRESS)):
        return True
    if any(not _PLACEHOLDERS.fullmatch(found[1].rstrip(".!?)")) for found in _NAMED.finditer(text)):
        return True
    return any(_looks_random(word) for word in _LONG.findall(text))


def _looks_random(word: str) -> bool:
    """Whether a long word is one that a machine has drawn."""
    word = word.rstrip("=")
    if "/" in word and not any(letter.isdigit() for letter in word):
        return False  # a path
    digits = sum(letter.isdigit() for letter in word)
    letters = sum(letter.isalpha() for letter in word)
    if not digits or not letters:
        return len(word) > LONGEST_WORD_OF_LETTERS and letters == len(word)
    parts = re.split(r"[-_/]", word)
    if max(map(len, parts)) < 16 and not _UUID.fullmatch(word):
        return False  # a name of several parts, such as a pod's
    return _entropy(word) > RANDOM_BITS or (len(word) >= 32 and digits >= 8)


def _entropy(word: str) -> float:
    counted = Counter(word)
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counted.values())
