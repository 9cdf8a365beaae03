"""Envelopes as records, signed for those who read them.

A record's value is the envelope as JSON. For each service that reads the topic it has a header
`signature-<consumer>`: HMAC-SHA256 over the topic's name, a NUL and the value, in hex, under the
key of that edge. Whoever can write to a topic, but is not its producer, has no such key; nor has a
reader the key with which another reader checks. A record that is copied to another topic does not
hold there.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256

from pydantic import SecretStr, ValidationError

from tracemypods.contracts.events import TOPICS, Envelope, Topic
from tracemypods.kit.internal import edge_bearer

MAXIMUM_BYTES = 256 * 1024
"""Of a record's value. Events are a few hundred bytes to a few thousand."""

Headers = tuple[tuple[str, bytes], ...]

_SIGNATURE = "signature-"


class Unopened(ValueError):
    """A record that nothing can be made of; `reason` says why in one short word."""

    reason = "unreadable"


class TooLong(Unopened):
    """Its value is over MAXIMUM_BYTES, or it has none."""

    reason = "too_long"


class Unsigned(Unopened):
    """It has no signature for this reader."""

    reason = "unsigned"


class Forged(Unopened):
    """Its signature is not that of the topic's producer for this reader, topic and value."""

    reason = "forged"


class Unreadable(Unopened):
    """It is signed, and no envelope."""


class Misdirected(Unopened):
    """It says that it is from somebody else, or lies under another key than its own."""

    reason = "misdirected"


def topic_named(name: str, topics: Iterable[Topic] = TOPICS) -> Topic:
    """A topic of the contracts. Raises KeyError when there is none of this name."""
    for topic in topics:
        if topic.name == name:
            return topic
    raise KeyError(name)


def keys_of_producer(topics: Iterable[Topic], producer: str) -> dict[str, SecretStr]:
    """The keys with which a service signs what it sends, by reader. Raises SettingsError."""
    return {
        consumer: edge_bearer(producer, consumer)
        for topic in topics
        if topic.producer == producer
        for consumer in topic.consumers
    }


def seal(topic: Topic, envelope: Envelope, keys: Mapping[str, SecretStr]) -> tuple[bytes, Headers]:
    """A record's value and headers; `keys` are those of the topic's readers.

    Raises TooLong, and Misdirected where the envelope is not from the topic's producer.
    """
    if envelope.producer != topic.producer:
        raise Misdirected(f"{topic.name} is written by {topic.producer}")
    value = envelope.model_dump_json().encode()
    if len(value) > MAXIMUM_BYTES:
        raise TooLong(f"an event of {len(value)} bytes; at most {MAXIMUM_BYTES} are sent")
    return value, tuple(
        (f"{_SIGNATURE}{consumer}", _signature(topic, value, keys[consumer]).encode())
        for consumer in topic.consumers
    )


def unseal(
    topic: Topic,
    consumer: str,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    secret: SecretStr,
) -> Envelope:
    """The envelope in a record, once it is known to be its producer's.

    Raises Unopened. Nothing of the value is looked at before its signature has held.
    """
    if not value or len(value) > MAXIMUM_BYTES:
        raise TooLong(f"{len(value or b'')} bytes")
    given = [held or b"" for name, held in headers if name == f"{_SIGNATURE}{consumer}"]
    if not given:
        raise Unsigned(f"no signature for {consumer}")
    # A second one would let whoever adds it choose which of them is looked at.
    expected = _signature(topic, value, secret).encode()
    if len(given) > 1 or not hmac.compare_digest(given[0], expected):
        raise Forged(f"not signed by {topic.producer} for {consumer}")
    try:
        envelope = Envelope.model_validate_json(value)
    except ValidationError as error:
        raise Unreadable(f"{error.error_count()} fields of it are wrong") from None
    if envelope.producer != topic.producer:
        raise Misdirected(f"it is from {envelope.producer!r}")
    if envelope.key.encode() != key:
        raise Misdirected("it lies under another key")
    return envelope


def _signature(topic: Topic, value: bytes, secret: SecretStr) -> str:
    signed = hmac.new(secret.get_secret_value().encode(), digestmod=sha256)
    signed.update(topic.name.encode() + b"\0")
    signed.update(value)
    return signed.hexdigest()
