"""Settings of a service that sends or reads events, and that the README lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tracemypods.events.settings import Brokers, KafkaSettings
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.settings_table import describe


def settings(url: str = "kafka://127.0.0.1:9092", **more: Any) -> KafkaSettings:
    return KafkaSettings(kafka_url=url, **{"mode": Mode.LOCAL, **more})


@pytest.mark.parametrize(
    ("url", "brokers"),
    [
        ("kafka://127.0.0.1:19092", Brokers(("127.0.0.1:19092",), False, True)),
        ("kafka://kafka", Brokers(("kafka:9092",), False, False)),
        ("kafka+ssl://a:1,b:2", Brokers(("a:1", "b:2"), True, False)),
        ("kafka+ssl://[::1]:1/", Brokers(("[::1]:1",), True, True)),
    ],
)
def test_addresses(url: str, brokers: Brokers) -> None:
    assert settings(url).kafka_brokers == brokers


@pytest.mark.parametrize(
    "url",
    [
        *("http://kafka", "kafka://", "kafka:9092", "", "kafka://a:99999", "kafka://a/x"),
        *("kafka://user:password@a", "kafka://a,", "kafka://a, b", "kafka://a?x=1"),
    ],
)
def test_what_is_no_broker_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValidationError, match="TRACEMYPODS_KAFKA_URL") as refused:
        settings(url)
    assert "password" not in str(refused.value.errors(include_input=False)[0]["msg"])


def test_user_and_password_go_together_and_never_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="both or neither"):
        settings(kafka_username="asha")
    both = {"kafka_username": "asha", "kafka_password": "secret"}
    with pytest.raises(ValidationError, match="not sent without encryption"):
        settings("kafka://127.0.0.1,kafka.example.org", **both)
    assert settings("kafka+ssl://kafka.example.org", **both).kafka_password
    known = {**both, "kafka_password": "dev-only-password"}
    assert settings("kafka://kafka.example.org", **known).kafka_password
    assert "secret" not in repr(settings(**both))


def test_the_readme_lists_the_settings() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    shared = {name for name, _, _ in describe(ServiceSettings)}
    for name, default, meaning in describe(KafkaSettings):
        if name not in shared:
            assert f"| `{name}` | {default} | {meaning} |" in readme
