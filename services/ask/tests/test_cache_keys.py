"""The exact cache: which questions are the same, and who shares answers with whom."""

from __future__ import annotations

import pytest
from answer_caches import PRIVATE, SHARED, question, token

from tracemypods.ask.answers import Question
from tracemypods.ask.cache.answer_cache import Wanted
from tracemypods.ask.cache.keys import question_digest, scope
from tracemypods.ask.conversation import Message


@pytest.mark.parametrize(
    "other",
    [
        question("Hi"),
        question("hi?"),
        question("H  i?"),
        question(model="smollm2:135m-plus"),
        question(tokens=65),
        question(temperature=0.5),
        question(seed=1),
        question(messages=[Message("system", "Be brief."), Message("user", "Hi?")]),
        question(messages=[Message("user", "Hi?\nassistant: x")]),
    ],
)
def test_other_questions_have_other_keys(other: Question) -> None:
    assert question_digest(other) != question_digest(question())


def test_other_weights_have_other_keys() -> None:
    assert Wanted("a question").of("some") != Wanted("a question").of("others")


def test_scopes() -> None:
    mine = scope(token("tok_1"), PRIVATE)
    assert mine != scope(token("tok_2"), PRIVATE)
    shared = scope(token("tok_1"), SHARED)
    assert shared == scope(token("tok_2"), SHARED)
    assert shared != mine
    # Never an answer made for a premium token to a free one.
    assert shared != scope(token("tok_3", "premium"), SHARED)
