"""Whether a record holds only where it was meant to."""

from __future__ import annotations

import hmac

import pytest
from pydantic import SecretStr

from tracemypods.contracts.events import DELIVERIES, ORDERS, Envelope, Topic
from tracemypods.events.sealing import (
    Forged,
    Misdirected,
    TooLong,
    Unreadable,
    Unsigned,
    seal,
    topic_named,
    unseal,
)

KEYS = {"deliver": SecretStr("d" * 40), "admin": SecretStr("a" * 40)}
TOPIC = Topic(ORDERS, "order", ("deliver", "admin"))


def event(**more: object) -> Envelope:
    fields = {"id": "evt_1", "type": "order.paid", "at": 1, "key": "ord_1", "producer": "order"}
    return Envelope.model_validate({**fields, "body": {"name": "Asha"}, **more})


def test_each_reader_opens_it_with_its_own_key() -> None:
    value, headers = seal(TOPIC, event(), KEYS)
    for reader, key in KEYS.items():
        assert unseal(TOPIC, reader, b"ord_1", value, headers, key) == event()
    with pytest.raises(Forged):
        unseal(TOPIC, "deliver", b"ord_1", value, headers, KEYS["admin"])


def test_a_later_versions_fields_are_no_obstacle() -> None:
    value = event().model_dump_json().encode().replace(b"{", b'{"new":1,', 1)
    _, headers = seal(TOPIC, event(), KEYS)
    with pytest.raises(Forged):
        unseal(TOPIC, "deliver", b"ord_1", value, headers, KEYS["deliver"])
    assert unseal(TOPIC, "deliver", b"ord_1", value, signed(value), KEYS["deliver"]) == event()


def signed(value: bytes, name: str = ORDERS) -> list[tuple[str, bytes | None]]:
    """A signature by whoever has the key."""
    key = KEYS["deliver"].get_secret_value().encode()
    mac = hmac.new(key, name.encode() + b"\0" + value, "sha256")
    return [("signature-deliver", mac.hexdigest().encode())]


def test_in_another_topic_it_is_forged() -> None:
    value, headers = seal(TOPIC, event(), KEYS)
    other = Topic(DELIVERIES, "order", ("deliver",))
    with pytest.raises(Forged):
        unseal(other, "deliver", b"ord_1", value, headers, KEYS["deliver"])


@pytest.mark.parametrize("given", [b"", b"0" * 64, "ä".encode(), None])
def test_another_signature_is_forged(given: bytes | None) -> None:
    value, _ = seal(TOPIC, event(), KEYS)
    with pytest.raises(Forged):
        unseal(TOPIC, "deliver", b"ord_1", value, [("signature-deliver", given)], KEYS["deliver"])


def test_two_signatures_are_one_too_many() -> None:
    value, headers = seal(TOPIC, event(), KEYS)
    with pytest.raises(Forged):
        unseal(TOPIC, "deliver", b"ord_1", value, [*headers, *headers], KEYS["deliver"])


def test_none_is_unsigned() -> None:
    value, headers = seal(TOPIC, event(), KEYS)
    with pytest.raises(Unsigned):
        unseal(TOPIC, "deliver", b"ord_1", value, headers[1:], KEYS["deliver"])


@pytest.mark.parametrize("value", [b"\xff", b"{}", b"[]", b'{"id": "evt_1"}'])
def test_what_is_signed_and_no_envelope(value: bytes) -> None:
    with pytest.raises(Unreadable):
        unseal(TOPIC, "deliver", b"ord_1", value, signed(value), KEYS["deliver"])


def test_somebody_elses_events_and_another_key() -> None:
    value = event(producer="payment").model_dump_json().encode()
    with pytest.raises(Misdirected):
        unseal(TOPIC, "deliver", b"ord_1", value, signed(value), KEYS["deliver"])
    with pytest.raises(Misdirected):
        seal(TOPIC, event(producer="payment"), KEYS)
    value, headers = seal(TOPIC, event(), KEYS)
    for key in (b"ord_2", None):
        with pytest.raises(Misdirected):
            unseal(TOPIC, "deliver", key, value, headers, KEYS["deliver"])


def test_sizes() -> None:
    with pytest.raises(TooLong):
        seal(TOPIC, event(body={"text": "x" * 300_000}), KEYS)
    for value in (b"", None, b"x" * 300_000):
        with pytest.raises(TooLong):
            unseal(TOPIC, "deliver", b"ord_1", value, (), KEYS["deliver"])


def test_topics_have_names() -> None:
    assert topic_named(ORDERS).producer == "order"
    with pytest.raises(KeyError):
        topic_named("nothing")
