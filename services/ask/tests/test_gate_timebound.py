"""Which questions ask for something that changes."""

from __future__ import annotations

import pytest

from tracemypods.ask.semantic.timebound import is_timebound


@pytest.mark.parametrize(
    "question",
    [
        "What time is it?",
        "What's the date today?",
        "What is the latest version of Kubernetes?",
        "Who is the president of France?",
        "Who's the CEO of Google?",
        "What is the weather in Rome?",
        "What happened this week?",
        "What was released two weeks ago?",
        "How is the stock of Apple doing?",
        "What is the price of gold?",
        "Where is my order?",
        "When will my parcel arrive?",
        "Why was my card declined?",
        "Where is order 48213?",
        "Has invoice INV-77 been paid?",
        "Is GitHub down?",
        "What is the newest iPhone?",
        "Who won the last election?",
        "Is Python 2 still supported?",
        "What is the current exchange rate?",
        "What will happen tomorrow?",
    ],
)
def test_what_changes(question: str) -> None:
    assert is_timebound(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is a pod?",
        "How do I list pods in a namespace?",
        "Why is the sky blue?",
        "Who wrote Hamlet?",
        "What is the time complexity of quicksort?",
        "When did World War II end?",
        "How do I cancel my order?",
        "How do I reset my password?",
        "What is 12 times 8?",
        "How many days are there in a week?",
        "Convert 10 miles to kilometres",
        "What is the capital of France?",
        "How do I undo a commit?",
        "Why does my pod crash?",
        "How long does delivery take?",
    ],
)
def test_what_stays(question: str) -> None:
    assert not is_timebound(question)
