"""Records that can't be handled, kept in a topic of their own: `<topic>.dlt`."""

from __future__ import annotations

from dataclasses import dataclass

from tracemypods.contracts.events import DEAD_LETTERS
from tracemypods.events.producing import Producer
from tracemypods.events.sealing import MAXIMUM_BYTES, Headers

_KEY_BYTES = 1024
_HEADERS_BYTES = 64 * 1024
_REASON_CHARACTERS = 500


class Unhandleable(Exception):
    """What a handler raises for an event that it will never be able to handle.

    `reason` is kept beside it, for a person: no secrets, and nothing personal.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class DeadLetter:
    """A record that can't be handled, where it lay, and why not."""

    topic: str
    partition: int
    offset: int
    consumer: str
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def is_whole(self) -> bool:
        """Whether all of it fits into a dead letter. What one of our services has sent does."""
        size = sum(len(name) + len(value) for name, value in self.headers)
        return (
            len(self.key or b"") <= _KEY_BYTES
            and len(self.value or b"") <= MAXIMUM_BYTES
            and size <= _HEADERS_BYTES
        )

    @property
    def all_headers(self) -> Headers:
        """Its own headers, and those that say where it comes from.

        Ours come last: somebody may have given it headers with these names.
        """
        own = self.headers if self.is_whole else (("truncated", b"true"),)
        return (
            *own,
            ("reason", self.reason[:_REASON_CHARACTERS].encode(errors="replace")),
            ("topic", self.topic.encode()),
            ("partition", str(self.partition).encode()),
            ("offset", str(self.offset).encode()),
            ("consumer", self.consumer.encode()),
        )


async def write(letter: DeadLetter, producer: Producer) -> None:
    """Return when the broker has it. Raises Unavailable.

    One that is too large (nobody who holds a key sends such) is cut, or it could not be written
    and would stand in the way for ever.
    """
    key, value = letter.key, letter.value or b""
    if not letter.is_whole:
        key, value = (key or b"")[:_KEY_BYTES] or None, value[:MAXIMUM_BYTES]
    await producer.send(f"{letter.topic}{DEAD_LETTERS}", key, value, letter.all_headers)
