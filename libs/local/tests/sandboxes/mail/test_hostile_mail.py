"""Whatever is sent, it is taken and shown as data, and nothing fails."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.local.sandboxes.mail import content
from tracemypods.local.testing.mail import Inbox

SCRIPT = b"<script>alert(1)</script><img src=http://elsewhere.invalid/x.png>"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    with Inbox(tmp_path_factory.mktemp("mail")) as started:
        yield started


BROKEN = {
    "nothing": b"",
    "no headers": b"\r\n\r\n",
    "only text": b"just text, no headers at all",
    "null bytes": b"Subject: a\0b\r\n\r\nc\0d",
    "unknown charset": b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe",
    "charset with nul": b'Content-Type: text/plain; charset="utf-8\0"\r\n\r\nx',
    "charset that is none": b"Content-Type: text/plain; charset=zlib\r\n\r\nx",
    "charset that makes surrogates": (
        b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800"
    ),
    "raw bytes in headers": b"Subject: \xff\xfe\r\nTo: \xc3\xa4\r\n\r\nx",
    "broken encoded words": b"Subject: =?utf-8?b?!!!?= =?nope?q?x?= =?utf-8?q?=zz?=\r\n\r\nx",
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n!!!!a",
    "multipart without parts": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
    "multipart without boundary": b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ny",
    "boundary never closed": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ny",
    "parameter without end": b'Content-Disposition: attachment; filename="\r\n\r\nx',
    "strange parameter": b"Content-Disposition: attachment; filename*=nope'x'%ff\r\n\r\nx",
    "parameter in pieces": (
        b"Content-Disposition: attachment; filename*0*=utf-8''%41; filename*2=x\r\n\r\nx"
    ),
    "type that is none": b"Content-Type: ////\r\n\r\nx",
    "type with a line": b"Content-Type: text/html\r\n X: y; charset=\r\n\r\nx",
    "a message in a message": (
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n" + SCRIPT
    ),
    "uuencoded": b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n????",
    "right to left": "Subject: \u202egpj.exe\r\n\r\n\u202e\u2066x".encode(),
    "many parts": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\ny\r\n" * 5000,
}


def nested(depth: int) -> bytes:
    """Parts within parts."""
    found = b""
    for n in range(depth):
        found += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
    return b"Subject: deep\r\n" + found + b"\r\ninnermost"


BROKEN["nested deeply"] = nested(2000)
BROKEN["messages within messages"] = b"Content-Type: message/rfc822\r\n\r\n" * 2000 + b"x"


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_broken_messages_are_taken_and_shown(inbox: Inbox, raw: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, local_hostname="test") as client:
        client.sendmail("a@b.example", ["c@d.example"], raw)
    found = inbox.messages()[0]
    path = f"/local/inbox/messages/{found['id']}"
    assert inbox.request("GET", path)[0] == 200
    assert "\n" not in found["subject"]
    assert "\0" not in found["subject"]
    for attachment in found["attachments"][:3]:
        assert "/" not in attachment["name"]
        status, headers, body = inbox.request("GET", f"{path}/attachments/{attachment['n']}")
        assert status == 200
        assert len(body) == attachment["bytes"]
        assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert headers["x-content-type-options"] == "nosniff"
    status, _, source = inbox.request("GET", f"{path}/source")
    assert status == 200
    assert source.rstrip(b"\r\n") == raw.rstrip(b"\r\n")


def test_a_deeply_nested_message_is_shown_as_its_source() -> None:
    found = content.read(nested(5000))
    assert found.subject == "deep"
    assert found.text is not None
    assert "innermost" in found.text


@given(raw=st.binary(max_size=2000))
def test_any_bytes_are_a_message(raw: bytes) -> None:
    found = content.read(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + raw)
    for text in (found.subject, found.text or "", found.html or ""):
        text.encode()
    for attachment in found.attachments:
        attachment.name.encode()


@given(name=st.text(max_size=300), kind=st.text(max_size=60))
def test_any_name_and_type_of_an_attachment(name: str, kind: str) -> None:
    head = f'Content-Type: {kind}; name="{name}"\nContent-Disposition: attachment\n\n'
    for attachment in content.read(head.encode(errors="replace") + b"x").attachments:
        assert "/" not in attachment.name
        assert content.line(attachment.name) == attachment.name
        assert attachment.type.isprintable()
        assert len(attachment.type) < 300


def test_crlf_in_a_command_is_no_second_command(inbox: Inbox) -> None:
    before = len(inbox.messages())
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.helo()
        assert client.docmd("MAIL FROM:<a@b.example>\0")[0] >= 200
        assert client.docmd("RCPT TO:<" + "x" * 5000 + ">")[0] >= 500
        client.send(b"NOTHING \xff\r\n")
        assert client.getreply()[0] >= 500
    assert len(inbox.messages()) == before


def test_the_html_is_served_so_that_it_can_do_nothing(inbox: Inbox) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        raw = b"Content-Type: text/html; charset=utf-7\r\n\r\n" + SCRIPT
        client.sendmail("a@b.example", ["c@d.example"], raw)
    found = inbox.messages()[0]
    status, headers, body = inbox.request("GET", f"/local/inbox/messages/{found['id']}/html")
    assert status == 200
    assert SCRIPT in body
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"].split("; ")
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert not any(one.startswith("script-src") for one in policy)
    assert "img-src data:" in policy


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "text/xml", "application/javascript"]
)
def test_what_could_run_is_downloaded_as_bytes(inbox: Inbox, kind: str) -> None:
    raw = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename=a.html\r\n\r\n"
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.sendmail("a@b.example", ["c@d.example"], raw.encode() + SCRIPT)
    found = inbox.messages()[0]
    assert found["attachments"][0]["type"] == kind
    path = f"/local/inbox/messages/{found['id']}/attachments/0"
    _, headers, _ = inbox.request("GET", path)
    assert headers["content-type"] == "application/octet-stream"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "to", ["%", "_", "' OR 1=1 --", "a\0b", "*", '"', "\u202e", "\ud7ff", "x" * 320, ""]
)
def test_odd_characters_in_the_filter_are_no_pattern(inbox: Inbox, to: str) -> None:
    assert inbox.messages(to) == []


def test_a_file_name_cannot_leave_its_header(inbox: Inbox, tmp_path: Path) -> None:
    raw = (
        b"Content-Disposition: attachment; filename*=utf-8''"
        b"..%2F..%2Fevil%0D%0ASet-Cookie%3A%20a%3Db%22.pdf\r\n\r\nx"
    )
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.sendmail("a@b.example", ["c@d.example"], raw)
    found = inbox.messages()[0]
    assert found["attachments"][0]["name"] == 'evil Set-Cookie: a=b".pdf'
    path = f"/local/inbox/messages/{found['id']}/attachments/0"
    _, headers, _ = inbox.request("GET", path)
    assert "set-cookie" not in headers
