"""What a person sees of a raw message. Nothing that was sent makes this fail.

The standard library's parser is asked for structure and bytes only (its policy `compat32` makes no
objects of headers, which broken ones would upset); headers and charsets are read here, leniently.
"""

from __future__ import annotations

import email.errors
import email.header
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import TypeAlias, cast

PARTS = 1000
"""Of a message with more parts, the rest are not shown."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
UNKNOWN_TYPE = "application/octet-stream"

Part: TypeAlias = "Message[str, str]"


@dataclass(frozen=True)
class Attachment:
    """A part that is neither the text nor the HTML."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True)
class Content:
    """A message, read. All strings can be encoded as UTF-8, and headers are single lines."""

    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    message_id: str = ""


def read(raw: bytes) -> Content:
    """Read a message. One that is nested too deeply to be taken apart is shown as its source."""
    try:
        message = BytesParser(policy=email.policy.compat32).parsebytes(raw)
        parts = list(_leaves(message))
    except (RecursionError, ValueError, LookupError, AssertionError):
        headers = BytesParser(policy=email.policy.compat32).parsebytes(raw, headersonly=True)
        text = clean(raw.decode(errors="replace"))
        return Content(_header(headers, "subject"), text, None, (), _header(headers, "message-id"))
    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = []
    for part in parts:
        kind, name = _type(part), _name(part)
        shown = not name and _disposition(part) != "attachment"
        if shown and kind == "text/plain" and text is None:
            text = _text(part)
        elif shown and kind == "text/html" and html is None:
            html = _text(part)
        else:
            name = name or f"attachment {len(attachments) + 1}"
            attachments.append(Attachment(name, kind, _bytes(part)))
    subject, message_id = _header(message, "subject"), _header(message, "message-id")
    return Content(subject, text, html, tuple(attachments), message_id)


def clean(text: str) -> str:
    """The text without what UTF-8 can't encode (bytes that were no text come as surrogates)."""
    return text.encode("utf-8", "replace").decode()


def line(text: str) -> str:
    """The text as one line, without control characters."""
    return _CONTROL.sub(" ", clean(text)).strip()


def _leaves(message: Part) -> Iterator[Part]:
    """The parts in their order; a message within a message is one part."""
    waiting = [message]
    found = 0
    while waiting and found < PARTS:
        part = waiting.pop()
        if part.is_multipart() and part.get_content_maintype() != "message":
            waiting += reversed(_messages(part))
            continue
        found += 1
        yield part


def _messages(part: Part) -> list[Part]:
    """What a part consists of, if it does."""
    return cast("list[Part]", part.get_payload()) if part.is_multipart() else []


def _type(part: Part) -> str:
    kind = part.get_content_type().lower()
    return kind if _TYPE.fullmatch(kind) else UNKNOWN_TYPE


def _disposition(part: Part) -> str:
    return str(part.get("content-disposition", "")).partition(";")[0].strip().lower()


def _name(part: Part) -> str:
    try:
        name = part.get_filename("")
    except (ValueError, LookupError, TypeError):
        return "unreadable name"
    # A name is no path, whatever the sender had in mind.
    last = line(_decoded(name)).replace("\\", "/").rpartition("/")[2]
    return line(last[:200])


def _header(message: Part, name: str) -> str:
    return line(_decoded(str(message.get(name, ""))))


def _decoded(value: str) -> str:
    """A header with its encoded words read; as it came where that is impossible."""
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return value


def _bytes(part: Part) -> bytes:
    if part.is_multipart():
        return b"\r\n".join(one.as_bytes() for one in _messages(part))
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _text(part: Part) -> str:
    content = _bytes(part)
    try:
        charset = str(part.get_content_charset("utf-8"))
        found = content.decode(charset, errors="replace")
    except (ValueError, LookupError, TypeError):
        found = content.decode(errors="replace")
    return clean(found).replace("\r\n", "\n")
