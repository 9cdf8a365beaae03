"""Settings of a service that sends mail, and that the README lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.settings_table import describe
from tracemypods.mail.addresses import is_address
from tracemypods.mail.settings import MailSettings, SmtpServer


def settings(url: str = "smtp://127.0.0.1:2525", **more: Any) -> MailSettings:
    return MailSettings(smtp_url=url, **{"mode": Mode.LOCAL, **more})


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, "none")),
        ("smtp://mail", SmtpServer("mail", 25, "none")),
        ("smtp+starttls://mail.example.org", SmtpServer("mail.example.org", 587, "starttls")),
        ("smtps://mail.example.org/", SmtpServer("mail.example.org", 465, "tls")),
        ("smtps://[::1]:4650", SmtpServer("::1", 4650, "tls")),
    ],
)
def test_the_scheme_says_how_the_connection_is_kept_private(url: str, server: SmtpServer) -> None:
    assert settings(url).smtp_server == server


@pytest.mark.parametrize(
    "url",
    [
        *("http://mail", "smtp://", "mail:25", "", "smtp://mail:99999", "smtp://mail/x"),
        *("smtp://user:password@mail", "smtps://mail?verify=no", "smtps://mail#x"),
    ],
)
def test_what_is_no_mail_server_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValidationError, match="TRACEMYPODS_SMTP_URL") as refused:
        settings(url)
    assert "password" not in str(refused.value.errors(include_input=False)[0]["msg"])


def test_user_and_password_go_together_and_never_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="both or neither"):
        settings(smtp_username="asha")
    both = {"smtp_username": "asha", "smtp_password": "secret"}
    with pytest.raises(ValidationError, match="not sent without encryption"):
        settings("smtp://mail.example.org", **both)
    assert settings("smtp+starttls://mail.example.org", **both).smtp_password
    assert "secret" not in repr(settings("smtp://127.0.0.1", **both))


def test_production_wants_a_sender_of_its_own() -> None:
    with pytest.raises(ValidationError, match="TRACEMYPODS_MAIL_FROM"):
        settings(mode=Mode.PRODUCTION)
    assert settings(mode=Mode.PRODUCTION, mail_from="shop@example.org").sender_domain
    with pytest.raises(ValidationError, match="no plain address"):
        settings(mail_from="Shop <shop@example.org>")
    with pytest.raises(ValidationError):
        settings(mail_from_name="Shop\r\nBcc: x@example.org")


@pytest.mark.parametrize(
    "text", ["a@b.example", "first.last+tag@sub.example.org", "x'y@b.example", "a@xn--bcher-kva.de"]
)
def test_plain_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a@b", "@b.example", "a@", "a@b.example,c@d.example", "A <a@b.example>"),
        *("a@b.example\r\nBcc: c@d.example", "a@b.example\n", "a b@c.example", '"a"@b.example'),
        *("a@[127.0.0.1]", "a..b@c.example", ".a@b.example", "a@-b.example", "ä@b.example"),
        *("a@bücher.example", "a@b.example;c@d.example", "a@b.example\0", "a@b@c.example"),
        *("a" * 65 + "@b.example", "a@" + "b." * 130 + "example", "(x)a@b.example"),
    ],
)
def test_all_else_is_none(text: str) -> None:
    assert not is_address(text)


def test_the_readme_lists_the_settings() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    shared = {name for name, _, _ in describe(ServiceSettings)}
    for name, default, meaning in describe(MailSettings):
        if name not in shared:
            assert f"| `{name}` | {default} | {meaning} |" in readme
