"""What holds for the gate whatever the texts are."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracemypods.ask.semantic.forms import GERUNDS, PARTICIPLES, PLURALS, VERBS, singular
from tracemypods.ask.semantic.gate import Gate
from tracemypods.ask.semantic.opposites import PAIRS
from tracemypods.ask.semantic.reading import LONGEST, read
from tracemypods.ask.semantic.secret_patterns import has_secret
from tracemypods.ask.semantic.tables import in_order
from tracemypods.ask.semantic.timebound import is_timebound
from tracemypods.ask.semantic.vocabulary import PHRASES, SYNONYMS, VERB_SYNONYMS, canonical

WORDS = in_order("""
how do i what is the a of to why not can't isn't list pods pod's namespace "quoted text" `code -x`
3 three 5km miles between and or than from convert difference turn off who which 2024-01-01 monday
please explain me vs | of: 's no my = * x half # q: c: can be deleted howto
""")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=20).map(" ".join)
TEXTS = st.one_of(SENTENCES, st.text(max_size=200))


@given(one=TEXTS, other=TEXTS)
def test_it_never_fails_and_is_symmetric(one: str, other: str) -> None:
    assert Gate().judge(one, other) == Gate().judge(other, one)


@given(text=TEXTS)
def test_what_can_be_judged_is_the_same_as_itself(text: str) -> None:
    assert Gate().judge(text, text).same == (read(text) is not None)


@given(one=SENTENCES, other=SENTENCES, third=SENTENCES)
def test_it_is_transitive(one: str, other: str, third: str) -> None:
    gate = Gate()
    if gate.judge(one, other).same and gate.judge(other, third).same:
        assert gate.judge(one, third).same


@given(text=SENTENCES, number=st.integers(0, 10**9), other=st.integers(0, 10**9))
def test_a_number_more_or_another_one_is_a_miss(text: str, number: int, other: int) -> None:
    gate = Gate()
    assert gate.judge(f"{text} {number}", f"{text} {other}").same <= (number == other)
    assert not gate.judge(f"{text} {number} zebra", f"{text} zebra").same


@pytest.mark.parametrize(
    "repeated",
    ["a", "a ", "1", "1 ", "' ", '"', "`", "and ", "how do a and ", "is ", "of ", "the of a ", "-",
     "a-", "a.", "not ", "what is ", "u:km ", "how many a are in ", "|", "difference between a "],
)  # fmt: skip
def test_no_text_takes_much_longer_than_others(repeated: str) -> None:
    """A backtracking pattern or a quadratic loop would take hundreds of times as long."""
    plain = ("What is the capital of France? " * LONGEST)[:LONGEST]
    text = (repeated * LONGEST)[:LONGEST]
    assert seconds_to_read(text) < 20 * seconds_to_read(plain)
    assert read(text + "aa") is None


@pytest.mark.parametrize(
    "repeated",
    ["a", "1", "a ", "eyJ", "eyJ-", "a://", "token ", "token=", "my ", "what my ", "order ", "key_",
     "who is ", "Bearer ", "a-", "A1/", "-----BEGIN ", "x@", ":"],
)  # fmt: skip
def test_the_time_grows_with_the_length_only(repeated: str) -> None:
    text = repeated * (300_000 // len(repeated))
    has_secret(text)
    is_timebound(text)


def test_opposites_are_no_synonyms() -> None:
    tables = {**SYNONYMS, **VERB_SYNONYMS, **PHRASES}
    for pair in PAIRS:
        one, other = pair
        for is_verb in (False, True):
            assert canonical(one, is_verb=is_verb) != canonical(other, is_verb=is_verb)
        assert tables.get(one, one) != tables.get(other, other)


def test_what_stands_for_others_stands_for_itself() -> None:
    for table in (SYNONYMS, VERB_SYNONYMS):
        assert not set(table.values()) & table.keys()


def test_no_form_is_of_two_verbs() -> None:
    assert not (GERUNDS.keys() | PARTICIPLES.keys()) & (VERBS - {"run", "split"})


@given(word=st.text("abcdefghijklmnopqrstuvwxyz", max_size=12))
@example("has")
def test_a_singular_loses_no_more_than_its_ending(word: str) -> None:
    found = singular(word)
    assert found in (word, word[:-1], word[:-2], word[:-3] + "y") or word in PLURALS


def seconds_to_read(text: str) -> float:
    """CPU time, the best of three."""
    taken = list[float]()
    for _ in range(3):
        read.cache_clear()
        started = time.process_time()
        read(text)
        taken.append(time.process_time() - started)
    return min(taken)
