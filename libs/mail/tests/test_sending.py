"""Handing mail over, to the captured mail and to servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tracemypods.kit.settings import Mode
from tracemypods.local.testing.mail import Inbox
from tracemypods.mail.message import InvalidMail, Mail
from tracemypods.mail.sending import (
    Mailer,
    MailError,
    PermanentFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from tracemypods.mail.settings import MailSettings

TO = "asha@example.org"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path / "mail") as started:
        yield started


def settings(url: str, **more: Any) -> MailSettings:
    return MailSettings(smtp_url=url, mode=Mode.LOCAL, **more)


def mail(**changed: Any) -> Mail:
    usual = {"id": "code-1", "to": TO, "subject": "Your code", "text": "123456"}
    return Mail(**{**usual, **changed})


def send(url: str, one: Mail | None = None, **more: Any) -> None:
    asyncio.run(Mailer(settings(url, **more)).send(one or mail()))


def test_a_mail_arrives(inbox: Inbox) -> None:
    send(inbox.smtp_url, mail(html="<p>123456", text="123456\n.\n..x"))
    (found,) = inbox.messages(TO)
    assert found["subject"] == "Your code"
    assert found["text"] == "123456\n.\n..x\n"
    assert found["html"] == "<p>123456\n"
    assert found["from"] == "tracemypods@localhost.localdomain"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "refuse", "code": 451}, TemporaryFailure),
        ({"kind": "refuse", "code": 554}, PermanentFailure),
        ({"kind": "refuse", "code": 450, "at": "recipient"}, TemporaryFailure),
        ({"kind": "refuse", "code": 550, "at": "recipient"}, PermanentFailure),
        ({"kind": "refuse", "code": 530, "at": "recipient"}, TemporaryFailure),
        ({"kind": "drop", "kept": False}, UnknownOutcome),
        ({"kind": "drop", "kept": True}, UnknownOutcome),
    ],
)
def test_what_is_known_when_it_fails(
    inbox: Inbox, fault: dict[str, Any], expected: type[MailError]
) -> None:
    inbox.fail(**fault, times=1)
    with pytest.raises(expected) as failed:
        send(inbox.smtp_url)
    assert failed.value.code == fault.get("code")
    assert TO not in str(failed.value)
    assert len(inbox.messages()) == (1 if fault.get("kept") else 0)
    send(inbox.smtp_url)
    assert inbox.messages()[0]["text"] == "123456\n"


def test_no_answer_in_time_is_an_unknown_outcome(inbox: Inbox) -> None:
    inbox.fail("hang")
    with pytest.raises(UnknownOutcome):
        send(inbox.smtp_url, smtp_answer_seconds=0.2)
    inbox.work_again()
    send(inbox.smtp_url)


def test_no_server_is_a_temporary_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with pytest.raises(TemporaryFailure):
        send(f"smtp://127.0.0.1:{port}")


def test_what_cannot_be_written_is_not_sent(inbox: Inbox) -> None:
    with pytest.raises(InvalidMail):
        send(inbox.smtp_url, mail(to="a@b.example,c@d.example"))
    assert inbox.messages() == []


def test_logs_hold_neither_the_address_nor_the_text(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send(inbox.smtp_url)
    inbox.fail("refuse", code=550)
    with pytest.raises(PermanentFailure):
        send(inbox.smtp_url)
    ours = [record for record in caplog.records if record.name.startswith("tracemypods.mail")]
    assert ours
    for record in caplog.records:
        assert TO not in repr(record.__dict__)
        assert "123456" not in repr(record.__dict__)


@contextlib.asynccontextmanager
async def answering(*answers: bytes) -> AsyncGenerator[str]:
    """A server that greets, and gives these answers to what it is told, one each; then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"220 hello\r\n")
            for answer in answers:
                await reader.readuntil(b".\r\n" if answer is answers[-1] else b"\r\n")
                writer.write(answer)
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


WELL = (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((*WELL, b"nonsense\r\n"), UnknownOutcome),
        ((*WELL, b""), UnknownOutcome),
        ((*WELL, b"421 closing\r\n"), TemporaryFailure),
        ((*WELL, b"250-" + b"x" * 9000 + b"\r\n"), UnknownOutcome),
    ],
)
def test_a_server_that_talks_nonsense(
    answers: tuple[bytes, ...], expected: type[MailError]
) -> None:
    async def work() -> None:
        async with answering(*answers) as at:
            await Mailer(settings(f"smtp://{at}", smtp_answer_seconds=5)).send(mail())

    with pytest.raises(expected):
        asyncio.run(work())


def test_a_mail_that_was_taken_is_sent_whatever_the_goodbye_is_like() -> None:
    async def work() -> None:
        async with answering(*WELL, b"250 taken\r\n") as at:
            await Mailer(settings(f"smtp://{at}")).send(mail())

    asyncio.run(work())


def test_without_the_promised_encryption_nothing_is_sent(inbox: Inbox) -> None:
    at = inbox.smtp_url.removeprefix("smtp://")
    for scheme in ("smtp+starttls", "smtps"):
        with pytest.raises(TemporaryFailure):
            send(f"{scheme}://{at}")
    assert inbox.messages() == []
