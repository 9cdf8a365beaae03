"""Sending codes, beside the request: how long a mail takes tells nobody anything."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tracemypods.kit.errors import Unavailable
from tracemypods.kit.tasks import end
from tracemypods.mail.message import InvalidMail, Mail
from tracemypods.mail.sending import Mailer, MailError, PermanentFailure
from tracemypods.order.codes.challenges import CODE_SECONDS, Purpose, Sending

_log = logging.getLogger("tracemypods.order.codes")

MOST_WAITING = 200
SENDERS = 8
KNOWN_DOWN_SECONDS = 10.0
"""How long after a mail server failed nobody is told that a code is on its way."""

_SUBJECTS: dict[Purpose, str] = {
    "buy": "Your code for buying premium",
    "token": "Your code for seeing your premium token again",
}


@dataclass(frozen=True)
class _Letter:
    address: str
    purpose: Purpose
    sending: Sending


class CodeSender:
    """Sends codes, a few at a time. A code that cannot be sent is lost: it can be sent again."""

    def __init__(self, mailer: Mailer, clock: Callable[[], float] = time.monotonic) -> None:
        self._mailer = mailer
        self._clock = clock
        self._waiting: asyncio.Queue[_Letter] = asyncio.Queue(MOST_WAITING)
        self._failed_at = float("-inf")
        self._senders: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send."""
        self._senders = [
            asyncio.create_task(self._keep_sending(), name="code sender") for _ in range(SENDERS)
        ]

    async def close(self) -> None:
        """Send what waits, for a moment, and stop."""
        try:
            async with asyncio.timeout(2):
                await self._waiting.join()
        except TimeoutError:
            _log.warning("codes are lost", extra={"count": self._waiting.qsize()})
        await end(*self._senders)

    def require(self) -> None:
        """Return when mails go out, as far as is known.

        Raises Unavailable `mail_unavailable` right after one could not be sent, and when too many
        wait.
        """
        if self._waiting.full() or self._clock() - self._failed_at < KNOWN_DOWN_SECONDS:
            raise Unavailable(
                "Mail can't be sent at the moment. Try again in a minute.",
                code="mail_unavailable",
                retry_after=int(KNOWN_DOWN_SECONDS),
            )

    def send(self, address: str, purpose: Purpose, sending: Sending) -> None:
        """Send a code soon. Raises Unavailable `mail_unavailable`."""
        try:
            self._waiting.put_nowait(_Letter(address, purpose, sending))
        except asyncio.QueueFull:
            self.require()

    async def _keep_sending(self) -> None:
        while True:
            letter = await self._waiting.get()
            try:
                await self._mailer.send(_mail(letter))
                self._failed_at = float("-inf")
            except PermanentFailure as error:  # of this mail: others may go out
                _log.warning("code refused", extra={"reason": str(error)})
            except (MailError, InvalidMail) as error:
                self._failed_at = self._clock()
                _log.warning("code not sent", extra={"reason": type(error).__name__})
            finally:
                self._waiting.task_done()


def _mail(letter: _Letter) -> Mail:
    code = letter.sending.code
    minutes = CODE_SECONDS // 60
    # The code is the first number of the text, so that phones offer it for filling in.
    text = (
        f"{code} is your code. It works for {minutes} minutes, once, on the page where you asked "
        "for it.\n\nNobody from this site will ask you for it. If you did not ask for a code, you "
        "need not do anything.\n"
    )
    page = (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif">'
        f'<p>Your code:</p><p style="font-size:2em;letter-spacing:.2em"><strong>{code}</strong>'
        f"</p><p>It works for {minutes} minutes, once, on the page where you asked for it.</p>"
        "<p>Nobody from this site will ask you for it. If you did not ask for a code, you need "
        "not do anything.</p></body></html>"
    )
    name = "".join(one for one in letter.sending.challenge_id if one.isalnum())
    return Mail(
        id=f"code-{name}-{time.time_ns()}",
        to=letter.address,
        subject=_SUBJECTS[letter.purpose],
        text=text,
        html=page,
    )
