"""What makes two questions the same, and which questions may be cached at all."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass

from tracemypods.ask.answers import Question
from tracemypods.ask.cache.personal_data import has_personal_data
from tracemypods.ask.models import upstream_name
from tracemypods.contracts.tokens import Plan, TokenRecord

VERSION = 2
"""Of the key and of what lies under it: another one is another cache."""


@dataclass(frozen=True)
class CachePolicy:
    """What the operator has set."""

    enabled: bool
    shared: bool
    max_temperature: float


@dataclass(frozen=True)
class CacheControl:
    """What the caller asked for with Cache-Control (RFC 9111, section 5.2.1)."""

    no_cache: bool = False
    no_store: bool = False

    @classmethod
    def parse(cls, header: str | None) -> CacheControl:
        """Read the header; directives that mean nothing here are ignored."""
        if not header:
            return NOTHING_SAID
        directives = {part.strip().lower() for part in header.split(",")}
        no_store = "no-store" in directives
        return cls(no_cache=no_store or "no-cache" in directives, no_store=no_store)


NOTHING_SAID = CacheControl()


def cacheable(question: Question, policy: CachePolicy) -> bool:
    """Whether the answer to a question may be kept, and an answer that was kept be given."""
    temperature = question.options.get("temperature")
    return (
        policy.enabled
        and (temperature is None or temperature <= policy.max_temperature)
        and not any(has_personal_data(message.content) for message in question.messages)
    )


def question_digest(question: Question) -> str:
    """A digest of all that the answer depends on but who asks, and the weights of the model."""
    parts = [
        VERSION,
        question.model,
        upstream_name(question.model, question.entry),
        question.entry.template,
        question.answer_tokens,
        sorted(question.options.items()),
        [[message.role, normalised(message.content)] for message in question.messages],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def scope(caller: TokenRecord, policy: CachePolicy) -> str:
    """Whose answers a caller may be given: those to its own token.

    Where the operator shares answers it is those to everybody of the same plan: a free token meets
    answers to free tokens only.
    """
    return shared_scope(caller.plan) if policy.shared else f"token:{caller.id}"


def shared_scope(plan: Plan) -> str:
    """The answers to everybody of a plan."""
    return f"plan:{plan}"


def normalised(text: str) -> str:
    """A text without what makes no difference to a model: its Unicode form, its line ends, blanks
    around it. Blanks inside it stay, since they mean something in code."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
