"""What OpenAI's clients send to `/v1/chat/completions`, and what is taken of it.

Every field of OpenAI's API reference is known here. It is either honoured, ignored because the
answer is as good without it, or refused by name because the answer would not be what was asked for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tracemypods.ask.conversation import Message, Role, Text
from tracemypods.kit.errors import FieldError, InvalidRequest

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


class Part(BaseModel):
    """One part of a message's content. Only text can be taken in."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: Text | None = None


def _as_parts(value: object) -> object:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


# What may come as one string or as a list becomes a list before it is checked, so that an error's
# place is the field that the caller knows.
Parts = Annotated[list[Part], BeforeValidator(_as_parts)]
Stops = Annotated[list[str], Field(max_length=4), BeforeValidator(_as_list)]


class ChatMessage(BaseModel):
    """One turn. What only names or describes the speaker is ignored."""

    model_config = ConfigDict(extra="forbid")

    role: str
    content: Parts | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    function_call: Any = None
    audio: Any = None
    annotations: Any = None
    reasoning_content: str | None = None


class StreamOptions(BaseModel):
    """Options of a streamed answer."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The body of POST /v1/chat/completions."""

    model_config = ConfigDict(extra="forbid")

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=500)]
    model: Annotated[str, Field(max_length=200)]

    # Honoured
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Stops | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None

    # Ignored: they change who pays, what is kept or how it is routed, not what is answered
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    prediction: Any = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None

    # Taken only at the value that asks for nothing
    n: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None
    moderation: Any = None

    def refuse_unsupported(self) -> None:
        """Raise InvalidRequest `unsupported_parameter` for the first field that can't be met."""
        plain_format = {None, "text"}
        asked = {
            "n": self.n not in (None, 1),
            "response_format": (self.response_format or {}).get("type") not in plain_format,
            "tools": bool(self.tools),
            "tool_choice": self.tool_choice not in (None, "none", "auto"),
            "functions": bool(self.functions),
            "function_call": self.function_call not in (None, "none", "auto"),
            "logprobs": bool(self.logprobs),
            "top_logprobs": bool(self.top_logprobs),
            "modalities": self.modalities not in (None, ["text"]),
            "audio": self.audio is not None,
            "web_search_options": self.web_search_options is not None,
            "moderation": self.moderation is not None,
        }
        for field, unsupported in asked.items():
            if unsupported:
                raise refused(field, f"{field!r} is not supported here; leave it out.")

    def conversation(self) -> list[Message]:
        """The messages as plain text. Raises InvalidRequest for what is not."""
        return [_plain(index, message) for index, message in enumerate(self.messages)]

    def sampling_options(self) -> dict[str, Any]:
        """What goes to the model server as it is."""
        names = (
            "temperature",
            "top_p",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
        )
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def refused(field: str, message: str, code: str = "unsupported_parameter") -> InvalidRequest:
    """An error that names the field that caused it."""
    return InvalidRequest(message, code=code, errors=[FieldError(field=field, message=message)])


def _plain(index: int, message: ChatMessage) -> Message:
    role = ROLES.get(message.role)
    if role is None:
        raise refused(
            f"messages.{index}.role",
            f"The role {message.role!r} is not supported here; use one of {', '.join(ROLES)}.",
            "invalid_value",
        )
    if message.tool_calls or message.function_call:
        raise refused(f"messages.{index}.tool_calls", "Tool calls are not supported here.")
    texts: list[str] = []
    for number, part in enumerate(message.content or []):
        if part.type != "text" or part.text is None:
            raise refused(
                f"messages.{index}.content.{number}",
                f"Content of type {part.type!r} is not supported here; send text.",
            )
        texts.append(part.text)
    return Message(role, "\n".join(texts))
