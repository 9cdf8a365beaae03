"""What a model is asked: messages that are checked, and cut to what it can take in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from tracemypods.kit.errors import FieldError, InvalidRequest, TooLarge


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds a lone surrogate, which is no character") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
"""Text that UTF-8 can encode. JSON's escapes can also spell halves of characters."""

Role = Literal["system", "user", "assistant"]

MESSAGE_BYTES = 64 * 1024
"""The longest message, in UTF-8 bytes."""

MESSAGE_OVERHEAD_TOKENS = 8
"""What a chat template puts around each message, rounded up (ChatML: 5 to 6)."""

TEMPLATE_TOKENS = 40
"""What a chat template adds once: its default system prompt and the opening of the answer."""

SHORTEST_ANSWER_TOKENS = 64

CountTokens = Callable[[str], Awaitable[int]]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def wire(self) -> dict[str, str]:
        """As OpenAI's format has it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Fitted:
    """Messages that fit a model's context together with the answer.

    `dropped` counts the oldest messages that were left out, `answer_tokens` is how long the
    answer may be.
    """

    messages: list[Message]
    dropped: int
    answer_tokens: int


def check(messages: Sequence[Message], field: str) -> None:
    """Refuse what no model should be asked. `field` is where the messages came from.

    Raises InvalidRequest or TooLarge, naming the message.
    """
    for index, message in enumerate(messages):
        where = f"{field}.{index}.content" if field == "messages" else field
        size = len(message.content.encode())
        if size > MESSAGE_BYTES:
            text = f"{size} bytes are more than the {MESSAGE_BYTES} that a message may have"
            raise TooLarge(
                f"The request is not valid: {where}: {text}.",
                code="prompt_too_large",
                errors=[FieldError(field=where, message=text)],
            )
        if not message.content.strip() and message.role != "assistant":
            raise _invalid(where, "a message must not be empty")
    if not messages or messages[-1].role != "user":
        raise _invalid(field, "the last message must be one of role user")


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(
        f"The request is not valid: {field}: {message}.",
        errors=[FieldError(field=field, message=message)],
    )


async def fit(
    messages: Sequence[Message], *, context_tokens: int, answer_tokens: int, count: CountTokens
) -> Fitted:
    """Leave out the oldest messages until question and answer fit the context.

    System messages at the beginning and the last message always stay; where they alone leave too
    little room, the answer becomes shorter. Raises InvalidRequest `context_exceeded` when not even
    a short answer would fit.
    """
    messages = list(messages)
    room = context_tokens - TEMPLATE_TOKENS
    # No tokenizer makes more tokens than there are bytes, so short conversations need no count.
    if sum(_bytes_bound(message) for message in messages) + answer_tokens <= room:
        return Fitted(messages, 0, answer_tokens)

    lead = 0
    while lead < len(messages) - 1 and messages[lead].role == "system":
        lead += 1
    head, turns, last = messages[:lead], messages[lead:-1], messages[-1]
    room -= sum([await _tokens(message, count) for message in (*head, last)])
    if room < SHORTEST_ANSWER_TOKENS:
        raise InvalidRequest(
            "The question is too long for this model: it takes in "
            f"{context_tokens} tokens, answer included. Shorten it, or choose another model.",
            code="context_exceeded",
        )
    answer_tokens = min(answer_tokens, room)
    room -= answer_tokens
    kept: list[Message] = []
    for message in reversed(turns):
        room -= await _tokens(message, count)
        if room < 0:
            break
        kept.insert(0, message)
    # An answer whose question was cut makes no sense to the model.
    while kept and kept[0].role == "assistant":
        kept.pop(0)
    return Fitted([*head, *kept, last], len(turns) - len(kept), answer_tokens)


def _bytes_bound(message: Message) -> int:
    return len(message.content.encode()) + MESSAGE_OVERHEAD_TOKENS


async def _tokens(message: Message, count: CountTokens) -> int:
    return await count(message.content) + MESSAGE_OVERHEAD_TOKENS
