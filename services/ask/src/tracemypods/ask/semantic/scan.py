"""Splits a question into tokens: words, and what must agree to the letter.

Tokens are strings. A prefix tells the kind: `#` a number, `u:` a unit, `d:` a date, `q:` quoted
text, `c:` code, `n:` an identifier, `op:` an operator; what has none is a word in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from tracemypods.ask.semantic import dates, numbers, units
from tracemypods.ask.semantic.tables import words

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"})  # noqa: RUF001
# Tokens are joined by blanks, so those inside a token are other characters.
_BLANKS = {ord(" "): "\x00", ord("\n"): "\x01", ord("\t"): "\x02", ord("\r"): "\x03"}
_PIECE = re.compile(
    r"```(?P<block>[^`]+)```|`(?P<code>[^`]+)`"
    r'|"(?P<double>[^"\n]{1,300})"'
    r"|(?<!\w)'(?P<single>[^'\n]{1,100})'(?!\w)"
    rf"|{dates.PATTERN}"
    r"|(?P<chunk>[^\s`\"]+|[`\"])",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*'?")
_HYPHENED = re.compile(r"[^\W_]+(?:-[^\W_]+)+")
_IDENTIFIER = re.compile(r"v?(\d+(?:\.\d+)+)|[a-z]*[\d][\w.:]*|[\w.:]*\d[\w.:]*", re.IGNORECASE)
_MARK = re.compile(r"[?!]*|\.+|[…—\u2013,;:\"'¿¡]")
_QUANTITY = re.compile(r"\d+[a-zA-Z]i?")
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")

# Names that are ordinary words too: with a capital inside a sentence they are the name.
NAMES = words("""
    apple windows go rust ruby swift oracle amazon chrome word excel teams edge office outlook
    turkey china polish jordan chad georgia mercury shell mint helm flux spark
    puppet chef salt slack zoom discord signal meta target gap visa express flask bottle
    spring hibernate maven ant fish dash julia dart crystal elixir phoenix rails
    node ember backbone access publisher safari opera brave edge stripe square
    bishop baker smith king queen rose mark bill will grace hope frank rich may june april august
    march sun earth mars saturn bell ford jaguar galaxy pixel echo alexa siri cloud pages numbers
    keynote notes reminders mail maps photos drive docs sheets slides gemini claude
    llama falcon max min
    """)
# In capitals these are names, though a word looks the same.
ACRONYMS = words("US IT WHO AM PM IS IN OR ID AS AT BE DO GO HE ME NO ON SO TO UP WE")


@dataclass
class Scanned:
    """The tokens, and those of them that stood with a capital inside the sentence."""

    tokens: list[str] = field(default_factory=list[str])
    names: set[str] = field(default_factory=set[str])


def scan(text: str) -> Scanned:
    """Split a text. Takes time in the length of it."""
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    shouted = text.upper() == text
    scanned = Scanned()
    for found in _PIECE.finditer(text):
        part = found.groupdict()
        if code := part["block"] or part["code"]:
            scanned.tokens.append("c:" + code.strip("\n").translate(_BLANKS))
        elif quoted := part["double"] or part["single"]:
            scanned.tokens.append("q:" + quoted.translate(_BLANKS))
        elif chunk := part["chunk"]:
            _read_chunk(chunk, scanned, shouted=shouted)
        else:
            scanned.tokens.append(dates.token(found))
    return scanned


def _read_chunk(chunk: str, scanned: Scanned, *, shouted: bool) -> None:
    tokens = scanned.tokens
    first = not tokens
    # (2 + 3) * 4 is not 2 + 3 * 4: brackets around several words are tokens.
    while chunk.startswith("(") and chunk.count("(") > chunk.count(")"):
        tokens.append("c:(")
        chunk = chunk[1:]
    closing = 0
    while (bare := _strip(chunk)).endswith(")") and bare.count(")") > bare.count("("):
        closing += 1
        chunk = bare[:-1]
    _read_bare(chunk, scanned, first=first, shouted=shouted)
    tokens.extend(["c:)"] * closing)


def _read_bare(chunk: str, scanned: Scanned, *, first: bool, shouted: bool) -> None:
    tokens = scanned.tokens
    stripped = _strip(chunk)
    if not stripped:
        # Marks of a sentence say nothing; other signs are code.
        if not _MARK.fullmatch(chunk):
            tokens.append("c:" + chunk)
        return
    behind_number = bool(tokens) and tokens[-1].startswith("#")
    if behind_number and stripped in ("C", "F"):
        tokens.append("u:celsius" if stripped == "C" else "u:fahrenheit")
    elif token := _single(stripped, behind_number=behind_number):
        tokens.append(token)
    elif several := numbers.arithmetic(stripped) or units.with_number(stripped):
        tokens.extend(several)
    elif _WORD.fullmatch(stripped):
        _read_word(stripped, scanned, first=first, shouted=shouted)
    elif _HYPHENED.fullmatch(stripped):
        for part in stripped.split("-"):
            _read_chunk(part, scanned, shouted=shouted)
    elif "/" not in stripped and (identifier := _IDENTIFIER.fullmatch(stripped)):
        # A version is the same with and without its v; 500m and 500M are not.
        version = identifier[1] or stripped
        exact = _QUANTITY.fullmatch(version)
        tokens.append(numbers.number(version) or "n:" + (version if exact else version.lower()))
    else:
        tokens.append("c:" + stripped)


def _strip(chunk: str) -> str:
    """A piece without the punctuation around it."""
    chunk = chunk.strip("?,;:…¿¡")
    if not chunk.startswith("."):
        chunk = chunk.rstrip(".?")
    if chunk.endswith("!") and chunk[:-1].isalpha():
        chunk = chunk.rstrip("!")
    return chunk.rstrip(".,;:?")


def _single(text: str, *, behind_number: bool) -> str | None:
    return (
        units.unit(text, behind_number=behind_number)
        or numbers.number(text)
        or dates.word(text)
        or (numbers.operator(text) if text != "x" or behind_number else None)
    )


def _read_word(word: str, scanned: Scanned, *, first: bool, shouted: bool) -> None:
    """A word may be a name by its capitals; a contraction is several."""
    tokens = scanned.tokens
    if (word in ACRONYMS or (word == "A" and not first)) and not shouted:
        tokens.append("n:" + word)
        return
    low = word.lower()
    if word[0].isupper() and not shouted and word != "I" and (not first or word[1:] != low[1:]):
        if low in NAMES and not first:
            low = "n:" + word
        if not low.startswith("i'"):
            scanned.names.add(low.removesuffix("'s"))
    elif _INNER_CAPITAL.search(word) and not shouted:
        # maxSurge is an identifier; PostgreSQL and its like begin with a capital.
        low = "n:" + low
    tokens.extend(_contraction(low))


def _contraction(word: str) -> list[str]:
    if word in ("can't", "cannot"):
        return ["can", "not"]
    if word == "won't":
        return ["will", "not"]
    if word.endswith("n't"):
        return [word.removesuffix("n't"), "not"]
    stem, _, rest = word.partition("'")
    if rest == "s":
        if stem in ("what", "who", "where", "how", "when", "why", "it", "that", "there", "here"):
            return [stem, "is"]
        return [stem, "is", "us"] if stem == "let" else [stem, "'s"]
    known = {"re": "are", "ve": "have", "ll": "will", "m": "am", "d": "would"}
    if rest in known:
        return [stem, known[rest]]
    if word.endswith("s'"):
        return [word[:-1], "'s"]
    return [word.strip("'")] if rest == "" else [word]
