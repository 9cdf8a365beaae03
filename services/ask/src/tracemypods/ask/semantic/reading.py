"""What a question asks, in a form in which the same questions are equal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tracemypods.ask.semantic import language, numbers
from tracemypods.ask.semantic.forms import GERUNDS, VERBS, singular
from tracemypods.ask.semantic.frames import IMPERATIVES, framed
from tracemypods.ask.semantic.order import BOUNDARIES, reordered
from tracemypods.ask.semantic.scan import scan
from tracemypods.ask.semantic.tables import words
from tracemypods.ask.semantic.vocabulary import NOTHING, canonical, with_phrases

LONGEST = 1000
"""Characters of the longest question that is judged: about what the embedder's window holds."""

# Blanks at the beginning of a line mean something in code.
_INDENTED = re.compile(r"\n[ \t]+\S")
_FENCED = re.compile(r"```[^`]+```")
_BE = words("is are am was were be been being get got gets have has")
_ARTICLES = frozenset({"a", "an", "the"})
_BEFORE_VERBS = words("howto i you we they to not can will should must")
_PAST = frozenset({"did", "was", "were"})
_CLAUSES = words(
    "that because if and or but to who which what when where while how why after before as than"
)
_QUESTION_WORDS = words("what howto why how where when who")
_UNORDERED = frozenset({"difference", "choice", "distance"})


@dataclass(frozen=True)
class Reading:
    """A question's tokens in their canonical form and order.

    `english` is False where the tables don't hold: then the tokens are the words as they stand.
    `names` are the words that stood with a capital.
    """

    english: bool
    tokens: tuple[str, ...]
    names: frozenset[str]


@lru_cache(maxsize=512)
def read(text: str) -> Reading | None:
    """Read a question.

    None for one that can't be judged: with nothing in it, too much, or code that nothing marks.
    """
    if len(text) > LONGEST or _INDENTED.search(_FENCED.sub("", text)):
        return None
    scanned = scan(text)
    if not scanned.tokens:
        return None
    if not language.is_english(language.words_of(text)):
        return Reading(english=False, tokens=_verbatim(text), names=frozenset())
    names = frozenset(singular(name) for name in scanned.names)
    words = with_phrases(" ".join(numbers.spelled_out(scanned.tokens))).split(" ")
    keeps_number = "my" in words
    words = framed(" ".join(_verbs_folded(words))).split(" ")
    tokens = _canonical(words, keeps_number=keeps_number)
    asks_of_something = any(token not in _QUESTION_WORDS for token in tokens)
    return Reading(english=True, tokens=tuple(tokens), names=names) if asks_of_something else None


def _verbatim(text: str) -> tuple[str, ...]:
    """The words of a text as they stand, but for the case of words and the signs around them."""
    words: list[str] = []
    for part in text.split():
        bare = part.strip("?!.,¿¡;:？。")  # noqa: RUF001
        words.append(bare.casefold() if bare.isalpha() else part.strip("?¿"))
    return tuple(word for word in words if word)


def _verbs_folded(words: list[str]) -> list[str]:
    """Progressive forms behind a form of "be" as the verb itself.

    Participles stay: what is closing is not closed.
    """
    folded: list[str] = []
    since = len(words)
    defines = words[0] in ("define", "explain") or words[:2] in (["what", "is"], ["what", "are"])
    for index, word in enumerate(words):
        if word in _BE:
            since = index
        elif word in _CLAUSES:
            since = len(words)
        near = 0 < index - since <= 5 and words[index - 1] not in _ARTICLES
        keeps = index and words[index - 1] in ("keep", "keeps", "keeping")
        if word in GERUNDS and ((near and not defines) or keeps):
            folded.append(GERUNDS[word])
        else:
            folded.append(word)
    return folded


def _canonical(words: list[str], *, keeps_number: bool) -> list[str]:
    if words[0] == "howto":
        words = _how_to(words)
        keeps_number = False
    # "what is the matrix" and "what is a matrix" differ in nothing else.
    named = len(words) == 3 and words[:2] == ["what", "the"]
    words = [word if keeps_number or ":" in word else singular(word) for word in words]
    words = reordered(words)
    ordered = [
        word
        for index, word in enumerate(words)
        if named or word not in NOTHING or (word == "do" and _is_main_verb(words, index))
    ]
    made: list[str] = []
    for index, word in enumerate(ordered):
        before = ordered[index - 1] if index else ""
        is_verb = before in _BEFORE_VERBS or (not index and word in IMPERATIVES)
        is_verb = is_verb or (index == len(ordered) - 1 and not _PAST.isdisjoint(ordered))
        made.append(canonical(word, is_verb=is_verb))
    if made and made[0] in _UNORDERED:
        made = _sorted_parts(made)
    return _negation_first([word for word in made if word != "|"])


def _is_main_verb(words: Sequence[str], index: int) -> bool:
    """Whether the "do" at `index` is what is done: "what does it do" is not "what is it"."""
    return index == len(words) - 1 or (index > 0 and words[index - 1] in _BEFORE_VERBS)


def _how_to(words: list[str]) -> list[str]:
    """A how-to without whose thing it is about, and with its verb as such."""
    words = [word for word in words if word != "my"]
    verb = words[1] if len(words) > 1 else ""
    verb = GERUNDS.get(verb, singular(verb) if singular(verb) in VERBS else verb)
    # To get something that the system shows is to look at it.
    if verb == "get" and any(singular(word) in _SHOWN for word in words[2:5]):
        verb = "show"
    if verb == "update" and any(singular(word) in _PROFILE for word in words[2:5]):
        verb = "change"
    return [words[0], verb, *words[2:]] if verb else words


_SHOWN = words("pod log node event service deployment namespace secret")
_PROFILE = words("email address password name phone username profile card")


def _sorted_parts(words: list[str]) -> list[str]:
    """A question about two things, whichever was named first."""
    head, rest = words[0], " ".join(words[1:])
    parts = [part.strip() for part in rest.split("|")]
    first, second = sorted(parts[:2]) if len(parts) > 1 else (rest, "")
    return [
        word for word in (head, *first.split(), "|", *second.split(), *_flat(parts[2:])) if word
    ]


def _flat(parts: Sequence[str]) -> list[str]:
    return [word for part in parts for word in ("|", *part.split())]


def _negation_first(words: list[str]) -> list[str]:
    """The one "not" of a question's first clause behind its question word, wherever it stood.

    "Why isn't my order there?" negates what "Why is my order not there?" does; which clause it
    stands in matters.
    """
    if words.count("not") != 1:
        return words
    first = 1 if words[0] in BOUNDARIES and words[0] != "not" else 0
    clauses = (index for index, word in enumerate(words) if index and word in _CLAUSES)
    if words.index("not") > next(clauses, len(words)):
        return words
    rest = [word for word in words[first:] if word != "not"]
    return [*words[:first], "not", *rest]
