"""What makes two questions the same, and which questions may be cached at all."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass

from tracemypods.ask.answers import Question
from tracemypods.ask.cache.personal_data import has_personal_data
from tracemypods.ask.models import upstream_name
from tracemypods.contracts.tokens import TokenRecord

VERSION = 1
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
        directives = {part.strip().lower() for part in (header or "").split(",")}
        no_store = "no-store" in directives
        return cls(no_cache=no_store or "no-cache" in directives, no_store=no_store)


def cacheable(question: Question, policy: CachePolicy, control: CacheControl) -> bool:
    """Whether the answer to a question may be kept, and an answer that was kept be given."""
    temperature = question.options.get("temperature")
    return (
        policy.enabled
        and not control.no_store
        and (temperature is None or temperature <= policy.max_temperature)
        and not any(has_personal_data(message.content) for message in question.messages)
    )


def cache_key(question: Question, caller: TokenRecord, policy: CachePolicy) -> str:
    """The key of a question's answer: over all that the answer depends on, within its scope.

    The scope is the caller's own token. Where the operator shares answers it is everybody of the
    same plan: a free token meets answers to free tokens only.
    """
    scope = f"plan:{caller.plan}" if policy.shared else f"token:{caller.id}"
    parts = [
        VERSION,
        scope,
        question.model,
        upstream_name(question.model, question.entry),
        question.entry.template,
        question.answer_tokens,
        sorted(question.options.items()),
        [[message.role, normalised(message.content)] for message in question.messages],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def normalised(text: str) -> str:
    """A text without what makes no difference to a model: its Unicode form, its line ends, blanks
    around it. Blanks inside it stay, since they mean something in code."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
