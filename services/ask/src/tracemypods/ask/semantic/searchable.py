"""Which questions may be looked up by what they mean, and what their answers depend on besides."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from tracemypods.ask.answers import Question
from tracemypods.ask.cache.keys import normalised
from tracemypods.ask.models import upstream_name
from tracemypods.ask.semantic.secret_patterns import has_secret
from tracemypods.ask.semantic.timebound import is_timebound

LONGEST_CHARACTERS = 1000
"""About what the embedder's window of 256 tokens holds; it says itself when a text was cut."""

PROMPT_VERSION = "1"
"""Of how questions become prompts: another one makes other answers."""


@dataclass(frozen=True)
class Searchable:
    """A question's text, and what must be the same for another question's answer to do.

    `upstream` is the model's name on its server. `fields` are compared one by one; digests stand
    for what is long.
    """

    text: str
    upstream: str
    fields: dict[str, str]

    @property
    def model(self) -> str:
        """The model that is asked, by its id in the catalogue."""
        return self.fields["model"]


def searchable(question: Question) -> Searchable | None:
    """The question, if it is the first of its conversation and its answer holds for a while.

    Personal data is looked for elsewhere, as for the exact cache.
    """
    *before, last = question.messages
    if any(message.role != "system" for message in before):
        return None
    text = normalised(last.content)
    if not may_be_searched(text) or has_secret(text):
        return None
    fields = {
        "model": question.model,
        "params": _digest([question.answer_tokens, sorted(question.options.items())]),
        "system": _digest([normalised(message.content) for message in before]),
        "template": f"{PROMPT_VERSION} {question.entry.template}",
    }
    return Searchable(text, upstream_name(question.model, question.entry), fields)


def may_be_searched(text: str) -> bool:
    """Whether a text is short enough for the embedder, and its answer not bound to a time."""
    return len(text) <= LONGEST_CHARACTERS and not is_timebound(text)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
