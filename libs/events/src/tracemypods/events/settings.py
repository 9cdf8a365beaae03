"""Settings of a service that sends or reads events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from tracemypods.kit.settings import DEV_ONLY, ServiceSettings

Mechanism = Literal["SCRAM-SHA-512", "PLAIN"]

_SCHEMES = {"kafka": False, "kafka+ssl": True}
_PORT = 9092
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Brokers:
    """Where to ask which brokers there are, and whether connections are encrypted."""

    addresses: tuple[str, ...]
    """`host:port` each."""
    encrypted: bool
    loopback: bool
    """All of them are on this machine."""


class KafkaSettings(ServiceSettings):
    """Settings of a service that sends or reads events."""

    kafka_url: str = Field(
        validation_alias="TRACEMYPODS_KAFKA_URL",
        description="Some of Kafka's brokers: `kafka+ssl://host:port,host:port` (TLS) or, without "
        "encryption, `kafka://host:port`",
    )
    kafka_username: str | None = Field(
        None, validation_alias="TRACEMYPODS_KAFKA_USERNAME", description="The user there"
    )
    kafka_password: SecretStr | None = Field(
        None, validation_alias="TRACEMYPODS_KAFKA_PASSWORD", description="That user's password"
    )
    kafka_mechanism: Mechanism = Field(
        "SCRAM-SHA-512",
        validation_alias="TRACEMYPODS_KAFKA_MECHANISM",
        description="How the password is shown: `SCRAM-SHA-512` or `PLAIN`",
    )
    kafka_publish_seconds: float = Field(
        3.0,
        gt=0,
        le=60,
        validation_alias="TRACEMYPODS_KAFKA_PUBLISH_SECONDS",
        description="How long sending one event may take, connecting included, seconds",
    )
    kafka_request_seconds: float = Field(
        10.0,
        gt=0,
        le=60,
        validation_alias="TRACEMYPODS_KAFKA_REQUEST_SECONDS",
        description="How long a broker may take for one answer, seconds",
    )
    kafka_session_seconds: float = Field(
        10.0,
        ge=0.5,
        le=300,
        validation_alias="TRACEMYPODS_KAFKA_SESSION_SECONDS",
        description="After how long without a sign of life another instance reads on, seconds",
    )
    kafka_poll_interval_seconds: float = Field(
        300.0,
        gt=0,
        le=3600,
        validation_alias="TRACEMYPODS_KAFKA_POLL_INTERVAL_SECONDS",
        description="After how long without asking for events a reader gives up its place, seconds",
    )
    kafka_stale_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        validation_alias="TRACEMYPODS_KAFKA_STALE_SECONDS",
        description="After how long without asking for events, or without getting those that "
        "there are, a reader connects anew, seconds",
    )
    kafka_retry_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        validation_alias="TRACEMYPODS_KAFKA_RETRY_SECONDS",
        description="The longest pause before an event that could not be handled is tried again, "
        "seconds",
    )

    @model_validator(mode="after")
    def _check_kafka(self) -> Self:
        try:
            brokers = self.kafka_brokers
        except ValueError:
            raise ValueError(
                "TRACEMYPODS_KAFKA_URL: give kafka:// or kafka+ssl:// with host:port, several "
                "with commas between them, and nothing else"
            ) from None
        if (self.kafka_username is None) is not (self.kafka_password is None):
            raise ValueError("TRACEMYPODS_KAFKA_USERNAME and _PASSWORD: give both or neither")
        password = self.kafka_password.get_secret_value() if self.kafka_password else DEV_ONLY
        # One that anybody knows has nothing to hide.
        if not (brokers.encrypted or brokers.loopback or password.startswith(DEV_ONLY)):
            raise ValueError(
                "TRACEMYPODS_KAFKA_URL: a password is not sent without encryption; use kafka+ssl://"
            )
        return self

    @property
    def kafka_brokers(self) -> Brokers:
        """The brokers that `kafka_url` names. Raises ValueError for no such address."""
        scheme, separator, rest = self.kafka_url.partition("://")
        if scheme not in _SCHEMES or not separator:
            raise ValueError("not the address of a broker")
        hosts: list[str] = []
        addresses: list[str] = []
        for one in rest.removesuffix("/").split(","):
            parts = urlsplit(f"kafka://{one}")
            extra = parts.username is not None or parts.path or parts.query or parts.fragment
            if not parts.hostname or extra or one != one.strip():
                raise ValueError("not the address of a broker")
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            hosts.append(parts.hostname)
            addresses.append(f"{host}:{parts.port or _PORT}")
        return Brokers(tuple(addresses), _SCHEMES[scheme], all(host in _LOOPBACK for host in hosts))
