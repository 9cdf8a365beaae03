"""What a base model is asked: a conversation, written as a text that it continues."""

from __future__ import annotations

from collections.abc import Sequence

from tracemypods.ask.conversation import Message
from tracemypods.contracts.catalogue import TEXT, PromptTemplate


def prompt_of(template: PromptTemplate, messages: Sequence[Message]) -> str:
    """Questions and answers in the template's patterns, open at the end for the next answer.

    Base models know no instructions beside a question, so system messages stand at the head of the
    question that follows them.
    """
    written: list[str] = []
    instructions: list[str] = []
    for message in messages:
        said = message.content.strip()
        if message.role == "system":
            instructions.append(said)
        elif message.role == "assistant":
            written.append(template.answer.replace(TEXT, said))
        else:
            written.append(template.question.replace(TEXT, "\n".join([*instructions, said])))
            instructions.clear()
    opening, _, _ = template.answer.partition(TEXT)
    # A space at the end would be one that the model has to follow: it puts its own.
    return "".join(written) + opening.rstrip(" ")
