"""What is sent over SMTP, and what is shown of it."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import pytest

from tracemypods.local.sandboxes.mail.settings import MEBIBYTE
from tracemypods.local.testing.mail import KEY, Inbox

TO = "asha@example.org"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path / "mail") as started:
        yield started


def message(subject: str = "Hello", to: str = TO, text: str = "Text") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Shop <shop@shop.example>"
    made["To"] = to
    made["Subject"] = subject
    made.set_content(text)
    return made


def send(port: int, *messages: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
        for one in messages:
            assert client.send_message(one) == {}


def send_raw(port: int, raw: bytes, *to: str, sender: str = "shop@shop.example") -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
        client.sendmail(sender, to or (TO,), raw)


def test_a_message_is_shown_with_all_its_parts(inbox: Inbox) -> None:
    sent = message("Grüße 🎉", text="Text ä")
    sent.add_alternative("<p>HTML ä", subtype="html")
    sent.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Nº 1.pdf")
    sent.add_attachment("a,b", subtype="csv", filename="list.csv")
    send(inbox.smtp_port, sent)
    (found,) = inbox.messages()
    assert found["from"] == "shop@shop.example"
    assert found["to"] == TO
    assert found["subject"] == "Grüße 🎉"
    assert (found["text"], found["html"]) == ("Text ä\n", "<p>HTML ä\n")
    assert found["attachments"] == [
        {"n": 0, "name": "Nº 1.pdf", "type": "application/pdf", "bytes": 4},
        {"n": 1, "name": "list.csv", "type": "text/csv", "bytes": 5},
    ]
    assert found["received_at"].endswith("Z")


def test_the_newest_comes_first_and_addresses_are_told_apart(inbox: Inbox) -> None:
    send(inbox.smtp_port, message("1"), message("2", to="ravi@example.org"), message("3"))
    assert [one["subject"] for one in inbox.messages()] == ["3", "2", "1"]
    assert [one["subject"] for one in inbox.messages("ASHA@example.org")] == ["3", "1"]
    assert inbox.messages("sha@example.org") == []


def test_whom_it_is_for_is_what_the_envelope_says(inbox: Inbox) -> None:
    send_raw(inbox.smtp_port, b"To: nobody@example.org\r\n\r\nText", TO, "ravi@example.org")
    (found,) = inbox.messages("ravi@example.org")
    assert found["to"] == f"{TO}, ravi@example.org"
    assert inbox.messages("nobody@example.org") == []


def test_an_address_with_other_letters(inbox: Inbox) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.ehlo()
        client.sendmail("x@y.example", ["jürgen@bücher.example"], b"Hi", ["SMTPUTF8"])
    assert len(inbox.messages("JÜRGEN@bücher.example")) == 1


def test_a_message_of_ten_megabytes_is_taken_and_a_larger_one_is_not(inbox: Inbox) -> None:
    line = b"x" * 76 + b"\r\n"
    whole = b"Subject: large\r\n\r\n" + line * (10 * MEBIBYTE // len(line) - 1)
    send_raw(inbox.smtp_port, whole)
    (found,) = inbox.messages()
    assert 9.9 * MEBIBYTE < found["bytes"] <= 10 * MEBIBYTE
    # smtplib says how large it is; a client that does not is refused at the end.
    with pytest.raises(smtplib.SMTPSenderRefused) as announced:
        send_raw(inbox.smtp_port, whole + line * 2)
    assert announced.value.smtp_code == 552
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.helo()
        client.mail("a@b.example")
        client.rcpt(TO)
        assert client.data(whole + line * 2)[0] == 552
        client.mail("a@b.example")
        client.rcpt(TO)
        assert client.data(b"Subject: after")[0] == 250
    assert [one["subject"] for one in inbox.messages()] == ["after", "large"]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    with Inbox(tmp_path, kept_messages=3) as inbox:
        send(inbox.smtp_port, *(message(str(n)) for n in range(5)))
        assert [one["subject"] for one in inbox.messages()] == ["4", "3", "2"]


def test_and_no_more_than_so_many_bytes(tmp_path: Path) -> None:
    large = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 12_000
    with Inbox(tmp_path, message_bytes=MEBIBYTE, kept_bytes=4 * MEBIBYTE) as inbox:
        for _ in range(6):
            send_raw(inbox.smtp_port, large)
        assert sum(one["bytes"] for one in inbox.messages()) <= 4 * MEBIBYTE
        assert len(inbox.messages()) == 4


def test_a_page_ends_early_when_its_messages_are_large(inbox: Inbox) -> None:
    large = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 70_000
    for _ in range(4):
        send_raw(inbox.smtp_port, large)
    body = json.loads(inbox.request("GET", "/local/inbox/messages")[2])
    assert len(body["items"]) == 2
    assert body["cursor"] == body["items"][1]["id"]
    assert len(inbox.messages()) == 4


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    with Inbox(tmp_path) as inbox:
        send(inbox.smtp_port, message("kept"))
        (before,) = inbox.messages()
    with Inbox(tmp_path) as inbox:
        assert inbox.messages() == [before]


def start(folder: Path, port: int, smtp_port: int) -> subprocess.Popen[bytes]:
    """The sandbox as a process of its own, ready."""
    environment = {
        **os.environ,
        "TRACEMYPODS_MODE": "local",
        "TRACEMYPODS_PORT": str(port),
        "TRACEMYPODS_SANDBOX_KEY": KEY,
        "TRACEMYPODS_SANDBOX_MAIL_DATA_DIR": str(folder),
        "TRACEMYPODS_SANDBOX_MAIL_SMTP_PORT": str(smtp_port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tracemypods.local.sandboxes.mail"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None:
        with socket.socket() as probe:
            # SMTP is listened for first.
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.01)
    raise AssertionError(f"it ended with {process.returncode}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return once.getsockname()[1]


def test_what_was_accepted_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    accepted: list[str] = []

    def keep_sending(name: int) -> None:
        for n in range(10_000):
            subject = f"{name}-{n}"
            try:
                send(ports[1], message(subject))
            except (OSError, smtplib.SMTPException):
                return
            accepted.append(subject)

    process = start(tmp_path, *ports)
    with ThreadPoolExecutor() as pool:
        senders = [pool.submit(keep_sending, name) for name in range(4)]
        while len(accepted) < 40:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for sender in senders:
        sender.result()
    with Inbox(tmp_path) as inbox:
        kept = {one["subject"] for one in inbox.messages()}
    assert set(accepted) <= kept


def test_a_disk_that_takes_no_more_is_a_temporary_refusal(inbox: Inbox, tmp_path: Path) -> None:
    send(inbox.smtp_port, message("before"))
    # Another program holds the file: it can't be written now.
    other = sqlite3.connect(tmp_path / "mail" / "messages.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(inbox.smtp_port, message("while"))
    assert refused.value.smtp_code == 452
    other.execute("ROLLBACK")
    other.close()
    send(inbox.smtp_port, message("after"))
    assert [one["subject"] for one in inbox.messages()] == ["after", "before"]
