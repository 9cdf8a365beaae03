"""What a mail consists of, and how it is written."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.settings import Mode
from tracemypods.mail.addresses import is_address
from tracemypods.mail.settings import MailSettings

MAXIMUM_BYTES = 10 * 1024 * 1024
"""What mail servers commonly take; the whole message, attachments in base64."""

BANNER = "Demonstration: nothing was sold, and no money was moved."

_POLICY = SMTP.clone(cte_type="7bit")
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HEADERS = frozenset(
    {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version"),
        *("content-type", "content-transfer-encoding"),
    }
)


class InvalidMail(ValueError):
    """A mail can't be written from this; the message says which part, and quotes nothing."""


@dataclass(frozen=True)
class Attachment:
    """A file that is sent along. `type` is such as `application/pdf`."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """One mail to one address.

    `id` makes the Message-ID: the same for the same mail sent again, so that whoever gets both can
    tell. `sandbox` marks what a sandbox had a part in; in demo mode every mail is marked.
    """

    id: str
    to: str
    subject: str
    text: str
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    sandbox: bool = False


def compose(mail: Mail, settings: MailSettings, clock: Clock = utc_now) -> bytes:
    """Write a mail as it goes over the wire: CRLF, seven bits, lines of at most 998 characters.

    Raises InvalidMail: for a recipient that is not exactly one plain address, an id, name or type
    with characters that have no place there, control characters in the subject, and for a mail
    over MAXIMUM_BYTES.
    """
    _check(mail)
    marked = mail.sandbox or settings.mode is Mode.DEMO
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(settings.mail_from_name, addr_spec=settings.mail_from)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = f"[Demo] {mail.subject}" if marked else mail.subject
    message["Date"] = clock()
    message["Message-ID"] = f"<{mail.id}@{settings.sender_domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{BANNER}\n\n{mail.text}" if marked else mail.text)
    if mail.html is not None:
        message.add_alternative(with_banner(mail.html) if marked else mail.html, subtype="html")
    for attachment in mail.attachments:
        maintype, _, subtype = attachment.type.partition("/")
        message.add_attachment(
            attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name
        )
    raw = message.as_bytes()
    _check_headers(raw)
    if len(raw) > MAXIMUM_BYTES:
        raise InvalidMail(f"the mail has {len(raw)} bytes; at most {MAXIMUM_BYTES} are sent")
    return raw


def with_banner(page: str) -> str:
    """The HTML with the banner as the first thing that is seen."""
    style = "margin:0 0 16px;padding:12px;background:#fdf0dd;color:#774608;font-weight:bold"
    banner = f'<p style="{style}">{html.escape(BANNER)}</p>'
    found = _BODY.search(page)
    at = found.end() if found else 0
    return page[:at] + banner + page[at:]


def _check(mail: Mail) -> None:
    if not _ID.fullmatch(mail.id):
        raise InvalidMail("id: letters, digits, dots, hyphens and underscores, 100 at most")
    if not is_address(mail.to):
        raise InvalidMail("to: this is not exactly one plain address")
    if not mail.subject.strip() or len(mail.subject) > 200 or _CONTROL.search(mail.subject):
        raise InvalidMail("subject: one line of at most 200 characters")
    if "=?" in mail.subject:
        raise InvalidMail("subject: it would be read as an encoded word")
    for attachment in mail.attachments:
        name = attachment.name
        if not name or len(name) > 200 or _CONTROL.search(name) or "/" in name or "\\" in name:
            raise InvalidMail("attachment: its name is one line without slashes")
        if not _TYPE.fullmatch(attachment.type):
            raise InvalidMail("attachment: its type is such as application/pdf")
        if attachment.type.startswith(("message/", "multipart/", "text/")):
            raise InvalidMail("attachment: its type is that of a file's bytes, not of a message")
    if "\0" in mail.text or "\0" in (mail.html or ""):
        raise InvalidMail("a text holds a NUL")
    for text in (mail.subject, mail.text, mail.html or "", *(one.name for one in mail.attachments)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidMail("a text holds what UTF-8 can't encode") from None


def _check_headers(raw: bytes) -> None:
    """Make sure that the headers are those above, once each, whatever was put into them."""
    head = raw.partition(b"\r\n\r\n")[0]
    lines = re.split(rb"\r\n|\r|\n", head)
    names = Counter(
        line.partition(b":")[0].decode("ascii", "replace").lower()
        for line in lines
        if not line.startswith((b" ", b"\t"))
    )
    if not names.keys() <= _HEADERS or max(names.values()) > 1:
        raise InvalidMail("a header holds a line of its own")
