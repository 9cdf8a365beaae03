"""Which language a question is in, as far as it matters: English, which the tables are for, or not.

A text in another language is compared word for word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracemypods.ask.semantic.tables import words

_ENGLISH = words("""
    the a an of to in is are was were do does did how what why when where who which can could should
    would will i my you your it this that there and or not for with from by on at as than if me we
    explain define write show give list tell compare calculate convert translate
    """)
_OTHERS = words("""
    der die das ein eine einen ist sind wie warum wer wo wann welche welcher welches ich und oder
    nicht kein keine mit viel mein meine den dem des mal
    le la les un une est sont comment pourquoi qui où quand quel quelle quels quelles je et ou pas
    du des mon ma mes que qu'est-ce l' c'est ce avec pour dans
    el los las uno una es son cómo como qué quién dónde cuándo cuál por mi mis y o con para del está
    il lo gli che cos'è cosa come perché dove quando chi quale sono mio e di
    um uma é são meu minha não onde quem o os do da dos das
    het een hoe wat waarom wie waar wanneer welke ik niet mijn van en
    co to jest jak dlaczego kto gdzie kiedy
    vad är hur varför vem var när jag inte min och att
    """) - {"in", "do", "to", "am", "a", "i", "var", "me", "min", "los", "las", "come", "des"}
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_LATIN_LETTERS = 0x024F


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def is_english(found: Sequence[str]) -> bool:
    """Whether words are English, rather than of a language that the tables know nothing of."""
    if any(ord(letter) > _LATIN_LETTERS for word in found for letter in word):
        return False
    foreign = sum(word in _OTHERS for word in found)
    return foreign == 0 or sum(word in _ENGLISH for word in found) > foreign
