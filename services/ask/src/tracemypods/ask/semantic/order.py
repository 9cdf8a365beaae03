"""What belongs to what: "the logs of a pod" and "the pod's logs" become "pod logs".

Everything else keeps its order: who chases whom is told by nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracemypods.ask.semantic.forms import VERBS, singular
from tracemypods.ask.semantic.tables import words
from tracemypods.ask.semantic.vocabulary import ATTRIBUTES, CONTAINERS, DETERMINERS

BOUNDARIES = words("""
    howto what why how where when who whom many much long often if not can will would should must
    may and or but to from than with without by for in on at into through during after before
    between that because as is are was were did do does i you we they it | translate convert
    """)
_NOUNS_TOO = words("limit log label commit name order request test branch volume run")


def reordered(words: Sequence[str]) -> list[str]:
    """Words with what belongs to something behind it: `logs of pod` is `pod logs`."""
    made = _marked(list(words))
    while "of" in made:
        last = len(made) - 1 - made[::-1].index("of")
        left = last
        while left > 0 and made[left - 1] not in BOUNDARIES | {"of"}:
            left -= 1
            if made[left] in DETERMINERS:
                break
        # The verb of a how-to does not belong to the thing.
        if left and made[left - 1] == "howto" and left < last and made[left] not in DETERMINERS:
            left += 1
        right = last + 1
        while (
            right < len(made)
            and made[right] not in BOUNDARIES
            and (made[right] not in DETERMINERS or right == last + 1)
        ):
            right += 1
        if left == last or right == last + 1:
            made[last] = "of:"
            continue
        made[left:right] = [*made[last + 1 : right], *made[left:last]]
    return [word for word in made if word != "'s"]


def _marked(words: list[str]) -> list[str]:
    """Words where every `of` of the same meaning is written so."""
    for index in range(1, len(words) - 1):
        before = singular(words[index - 1])
        if words[index] in ("in", "on", "within", "inside"):
            is_verb = before in VERBS and before not in _NOUNS_TOO
            starts = words[index - 1] in BOUNDARIES | DETERMINERS
            if _head(words, index + 1) in CONTAINERS and not is_verb and not starts:
                words[index] = "of"
        elif words[index] == "for" and before in ATTRIBUTES:
            words[index] = "of"
    return words


def _head(words: list[str], start: int) -> str:
    """The last word of the noun that begins at `start`."""
    end = start
    while end < len(words) and words[end] not in BOUNDARIES | {"of"}:
        if words[end] in DETERMINERS and end > start:
            break
        end += 1
    return singular(words[end - 1]) if end > start else ""
