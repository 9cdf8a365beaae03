"""Settings of a service that sends mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.mail.addresses import is_address

Security = Literal["none", "starttls", "tls"]

_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_SENDER = "tracemypods@localhost.localdomain"


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed over, and how that is kept private."""

    host: str
    port: int
    security: Security


class MailSettings(ServiceSettings):
    """Settings of a service that sends mail."""

    smtp_url: str = Field(
        validation_alias="TRACEMYPODS_SMTP_URL",
        description="The mail server: `smtps://host:465` (TLS), `smtp+starttls://host:587` or, "
        "without encryption, `smtp://host:25`",
    )
    smtp_username: str | None = Field(
        None, validation_alias="TRACEMYPODS_SMTP_USERNAME", description="The user there"
    )
    smtp_password: SecretStr | None = Field(
        None, validation_alias="TRACEMYPODS_SMTP_PASSWORD", description="That user's password"
    )
    smtp_connect_seconds: float = Field(
        5.0,
        gt=0,
        le=60,
        validation_alias="TRACEMYPODS_SMTP_CONNECT_SECONDS",
        description="How long connecting and signing in may take, seconds",
    )
    smtp_answer_seconds: float = Field(
        20.0,
        gt=0,
        le=600,
        validation_alias="TRACEMYPODS_SMTP_ANSWER_SECONDS",
        description="How long one mail may take from then on, seconds",
    )
    mail_from: str = Field(
        DEFAULT_SENDER,
        validation_alias="TRACEMYPODS_MAIL_FROM",
        description="The sender's address; `production` wants another than this",
    )
    mail_from_name: str = Field(
        "TraceMyPods",
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        validation_alias="TRACEMYPODS_MAIL_FROM_NAME",
        description="The sender's name",
    )

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        try:
            server = self.smtp_server
        except ValueError:
            raise ValueError(
                "TRACEMYPODS_SMTP_URL: give smtp://, smtp+starttls:// or smtps:// with host and "
                "port, and nothing else"
            ) from None
        if (self.smtp_username is None) is not (self.smtp_password is None):
            raise ValueError("TRACEMYPODS_SMTP_USERNAME and _PASSWORD: give both or neither")
        if self.smtp_username and server.security == "none" and server.host not in _LOOPBACK:
            raise ValueError(
                "TRACEMYPODS_SMTP_URL: a password is not sent without encryption; use smtps:// or "
                "smtp+starttls://"
            )
        if not is_address(self.mail_from):
            raise ValueError("TRACEMYPODS_MAIL_FROM: this is no plain address")
        if self.mode is Mode.PRODUCTION and self.mail_from == DEFAULT_SENDER:
            raise ValueError("TRACEMYPODS_MAIL_FROM: production wants the seller's own address")
        return self

    @property
    def smtp_server(self) -> SmtpServer:
        """The mail server that `smtp_url` names. Raises ValueError for no such address."""
        parts = urlsplit(self.smtp_url)
        security, usual = _SCHEMES.get(parts.scheme, (None, 0))
        extra = parts.username is not None or parts.query or parts.fragment
        if security is None or not parts.hostname or parts.path.strip("/") or extra:
            raise ValueError("not the address of a mail server")
        return SmtpServer(parts.hostname, parts.port or usual, security)

    @property
    def sender_domain(self) -> str:
        """What is behind the @ of the sender's address."""
        return self.mail_from.rpartition("@")[2]
