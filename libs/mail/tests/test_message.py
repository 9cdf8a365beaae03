"""How a mail is written, and what never gets into its headers."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.kit.settings import Mode
from tracemypods.mail.message import BANNER, Attachment, InvalidMail, Mail, compose
from tracemypods.mail.settings import MailSettings

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"]


def noon() -> datetime:
    return datetime(2030, 1, 31, 12, tzinfo=UTC)


def settings(mode: Mode = Mode.LOCAL, **more: Any) -> MailSettings:
    return MailSettings(
        smtp_url="smtp://127.0.0.1:25", mode=mode, mail_from="shop@shop.example", **more
    )


def mail(**changed: Any) -> Mail:
    usual = {"id": "inv-ord_1", "to": "asha@example.org", "subject": "Hello", "text": "Text"}
    return Mail(**{**usual, **changed})


def written(one: Mail, chosen: MailSettings | None = None) -> EmailMessage:
    raw = compose(one, chosen or settings(), noon)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert max(raw) < 128
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_mail_with_everything() -> None:
    pdf = Attachment("Rechnung Nº 1.pdf", "application/pdf", b"%PDF" + bytes(range(256)))
    message = written(
        mail(
            subject="Grüße 🎉", text="Zeile\n.\n" + "ä" * 2000, html="<p>ä</p>", attachments=(pdf,)
        )
    )
    assert message["subject"] == "Grüße 🎉"
    assert message["from"] == "TraceMyPods <shop@shop.example>"
    assert message["to"] == "asha@example.org"
    assert message["date"].datetime == noon()
    assert message["message-id"] == "<inv-ord_1@shop.example>"
    assert message["auto-submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    # In base64 its lines end as they do on the wire.
    assert text.get_content().replace("\r\n", "\n") == "Zeile\n.\n" + "ä" * 2000 + "\n"
    assert html.get_content().strip() == "<p>ä</p>"
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == pdf.name
    assert attached.get_content() == pdf.content
    assert attached.get_content_type() == "application/pdf"


def test_the_same_mail_again_has_the_same_message_id() -> None:
    assert written(mail())["message-id"] == written(mail(text="Again"))["message-id"]


def test_a_demonstration_says_so_everywhere() -> None:
    for message in (
        written(mail(html="<html><body class=x>Page</body></html>"), settings(Mode.DEMO)),
        written(mail(html="<p>Page", sandbox=True)),
    ):
        assert message["subject"] == "[Demo] Hello"
        for kind in ("plain", "html"):
            part = message.get_body((kind,))
            assert part is not None
            assert BANNER in part.get_content()
    assert BANNER.encode() not in compose(mail(html="<p>Page"), settings(), noon)


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "a@b.example, c@d.example"},
        {"to": "a@b.example\r\nBcc: c@d.example"},
        {"to": "=?utf-8?q?a?= <a@b.example>"},
        {"subject": "Hello\r\nBcc: c@d.example"},
        {"subject": "Hello\nBcc: c@d.example"},
        {"subject": "Hello\u2028x"},
        {"subject": "=?utf-8?q?Hello=0D=0ABcc:_c@d.example?="},
        {"subject": ""},
        {"subject": "x" * 201},
        {"subject": "\ud800"},
        {"text": "\udc80"},
        {"text": "a\0b"},
        {"id": "x>\r\nBcc: c@d.example"},
        {"id": "a b"},
        {"id": ""},
        {"attachments": (Attachment("a\r\nX: y.pdf", "application/pdf", b""),)},
        {"attachments": (Attachment("../a.pdf", "application/pdf", b""),)},
        {"attachments": (Attachment("a.pdf", "application/pdf\r\nX: y", b""),)},
        {"attachments": (Attachment("a.eml", "message/rfc822", b""),)},
        {"attachments": (Attachment("a.pdf", "application/pdf", bytes(8 * 1024 * 1024)),)},
    ],
)
def test_what_no_mail_can_be_written_from_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidMail):
        compose(mail(**changed), settings(), noon)


@given(subject=st.text(max_size=210), name=st.text(max_size=40), file=st.text(max_size=210))
def test_whatever_is_put_into_headers_they_stay_what_they_are(
    subject: str, name: str, file: str
) -> None:
    one = mail(subject=subject, attachments=(Attachment(file, "application/pdf", b"%PDF"),))
    try:
        chosen = settings(mail_from_name=name)
        message = written(one, chosen)
    except ValueError:
        return
    assert sorted(message.keys()) == sorted([*HEADERS, "Content-Type"])
    assert message["to"] == "asha@example.org"
    (attached,) = message.iter_attachments()
    assert set(attached.keys()) == {
        *("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "MIME-Version")
    }
