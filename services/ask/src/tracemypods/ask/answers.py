"""An answer as it comes into being."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tracemypods.ask.completions import Interrupted, Usage, complete
from tracemypods.ask.conversation import Fitted, Message, fit
from tracemypods.ask.models import ModelServer, unavailable, upstream_name
from tracemypods.ask.prompts import prompt_of
from tracemypods.ask.servers import ModelServers
from tracemypods.ask.silence import SilenceWatch
from tracemypods.contracts.catalogue import ModelEntry
from tracemypods.kit.errors import Problem
from tracemypods.kit.http import (
    DependencyError,
    DependencyTimeout,
    DependencyUnreachable,
)


@dataclass(frozen=True)
class Question:
    """What is asked of which model. `options` are sampling options in OpenAI's names."""

    model: str
    entry: ModelEntry
    messages: list[Message]
    answer_tokens: int
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Delta:
    """More text, in so many pieces of the model server's: a piece is a token, as a rule."""

    text: str
    pieces: int = 1


@dataclass(frozen=True)
class Done:
    """The answer is complete: `stop`, or `length` where it was cut at its limit."""

    finish_reason: str
    usage: Usage


Event = Delta | Done


class ModelTimeout(Problem):
    """The model server accepted the question and then fell silent."""

    status, code = 504, "model_timeout"


class Answerer:
    """Asks each model's server. Times are in seconds."""

    def __init__(self, models: ModelServers, *, silence: float, first_text: float) -> None:
        self._models = models
        self._silence = silence
        self._first_text = first_text

    async def fit(self, question: Question) -> Fitted:
        """Cut the question to the model's context.

        Raises InvalidRequest `context_exceeded`, or Unavailable `model_unavailable`.
        """
        try:
            return await fit(
                question.messages,
                context_tokens=question.entry.context_tokens,
                answer_tokens=question.answer_tokens,
                count=self._models.of(question.model).count_tokens,
            )
        except DependencyError:
            raise unavailable() from None

    async def answer(self, question: Question, fitted: Fitted) -> AsyncGenerator[Event]:
        """The text as it comes, then Done. Closing the generator frees the model.

        Raises a Problem whenever it goes wrong, before or in the middle of the text.
        """
        server = self._models.of(question.model)
        path, body = _request(server, question, fitted)
        # A base model begins with the space that the end of its prompt asks for.
        begun = question.entry.kind == "chat"
        finish_reason, usage = "stop", Usage(0, 0)
        watch = SilenceWatch(server.probe, silence=self._silence, first_text=self._first_text)
        try:
            async with aclosing(complete(server.api, path, body, watch)) as chunks:
                async for chunk in chunks:
                    finish_reason = chunk.finish_reason or finish_reason
                    usage = chunk.usage or usage
                    text = chunk.text if begun else chunk.text.lstrip()
                    if text:
                        begun = True
                        yield Delta(text, chunk.pieces)
        except DependencyTimeout:
            raise ModelTimeout(
                "The model server accepted the question and then stopped answering. Try again."
            ) from None
        except DependencyUnreachable:
            raise unavailable() from None
        except DependencyError:
            raise Interrupted("The connection to the model server broke. Ask again.") from None
        yield Done(finish_reason, usage)


def _request(server: ModelServer, question: Question, fitted: Fitted) -> tuple[str, dict[str, Any]]:
    """Where to send a question, and as what: a conversation, or a prompt to be continued."""
    body: dict[str, Any] = {
        **question.options,
        "model": upstream_name(question.model, question.entry),
        "max_tokens": fitted.answer_tokens,
    }
    template = server.prompt_template(question.entry)
    if template is None:
        body["messages"] = [message.wire() for message in fitted.messages]
        return "/chat/completions", body
    body["prompt"] = prompt_of(template, fitted.messages)
    body["stop"] = [*template.stop, *question.options.get("stop", [])]
    return "/completions", body
