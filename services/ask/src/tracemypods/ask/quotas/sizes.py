"""How many tokens a question may take, before the model server has counted them."""

from __future__ import annotations

from tracemypods.ask.answers import Question
from tracemypods.ask.conversation import MESSAGE_OVERHEAD_TOKENS, TEMPLATE_TOKENS

BYTES_PER_TOKEN = 3


def most_tokens(question: Question) -> int:
    """The most that question and answer can take: that much is reserved.

    No tokenizer makes more tokens than there are bytes, and no more fit than the context holds.
    """
    wanted = _bytes(question) + _overhead(question) + question.answer_tokens
    return min(question.entry.context_tokens, wanted)


def likely_prompt_tokens(question: Question) -> int:
    """What the question alone likely takes: counted where an answer ends before its usage comes."""
    guess = _bytes(question) // BYTES_PER_TOKEN + _overhead(question)
    return min(question.entry.context_tokens, guess)


def _bytes(question: Question) -> int:
    return sum(len(message.content.encode()) for message in question.messages)


def _overhead(question: Question) -> int:
    return len(question.messages) * MESSAGE_OVERHEAD_TOKENS + TEMPLATE_TOKENS
