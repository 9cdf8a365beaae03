"""Handing a mail over to a mail server, and what is known when that fails."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import aiosmtplib

from tracemypods.kit.clock import Clock, utc_now
from tracemypods.mail.message import Mail, compose
from tracemypods.mail.settings import MailSettings

_log = logging.getLogger("tracemypods.mail")

_QUIT_SECONDS = 2.0
_OF_SETTINGS = frozenset({530, 534, 535, 538})
"""Refusals for want of a password or encryption, which say nothing about the mail."""


class MailError(Exception):
    """A mail was not, or may not have been, handed over. `code` is the server's, if it gave one.

    The message has no address and nothing of the mail in it.
    """

    def __init__(self, what: str, code: int | None = None) -> None:
        super().__init__(f"{what} ({code})" if code else what)
        self.code = code


class TemporaryFailure(MailError):
    """It was not handed over; try again later.

    The server was not reached or not in time, answered 4xx, or did not let us in (whose remedy is
    a setting, and no reason to give the mail up).
    """


class PermanentFailure(MailError):
    """It was not handed over and never will be: the server refused this mail with 5xx."""


class UnknownOutcome(MailError):
    """The server has the mail, and gave no answer: it may deliver it or not.

    Sent again with the same id, it has the same Message-ID.
    """


class Mailer:
    """Sends mail, each over a connection of its own."""

    def __init__(self, settings: MailSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; returns when the server has taken it.

        Raises InvalidMail before anything is sent, TemporaryFailure, PermanentFailure and
        UnknownOutcome. It takes no longer than `smtp_connect_seconds` and `smtp_answer_seconds`
        together, and two seconds for saying goodbye.
        """
        raw = compose(mail, self._settings, self._clock)
        started = time.monotonic()
        client = self._client()
        try:
            await self._connect(client)
            await self._hand_over(client, mail.to, raw)
        except MailError as error:
            client.close()
            _log.warning(
                "mail failed",
                extra={"mail": mail.id, "how": type(error).__name__, "reason": str(error)},
            )
            raise
        except BaseException:
            client.close()
            raise
        _log.info("mail sent", extra={"mail": mail.id, "seconds": time.monotonic() - started})
        await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        settings, server = self._settings, self._settings.smtp_server
        password = settings.smtp_password
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            # Its own way to find one asks DNS, and tells the machine's name.
            local_hostname=settings.sender_domain,
            timeout=settings.smtp_answer_seconds,
        )

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        try:
            async with asyncio.timeout(self._settings.smtp_connect_seconds):
                await client.connect()
        except aiosmtplib.SMTPResponseException as error:
            raise TemporaryFailure("the mail server lets nobody in", error.code) from error
        except TimeoutError as error:
            raise TemporaryFailure("the mail server did not answer in time") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TemporaryFailure(
                f"the mail server can't be used: {type(error).__name__}"
            ) from error

    async def _hand_over(self, client: aiosmtplib.SMTP, to: str, raw: bytes) -> None:
        sending = False
        size = [f"SIZE={len(raw)}"] if client.supports_extension("size") else []
        try:
            async with asyncio.timeout(self._settings.smtp_answer_seconds):
                await client.mail(self._settings.mail_from, options=size)
                await client.rcpt(to)
                # From here on the server may have it.
                sending = True
                await client.data(raw)
        except aiosmtplib.SMTPResponseException as error:
            if sending and not 400 <= error.code < 600:
                raise UnknownOutcome("the mail server answered nonsense", error.code) from error
            final = 500 <= error.code < 600 and error.code not in _OF_SETTINGS
            refused = PermanentFailure if final else TemporaryFailure
            raise refused("the mail server refused the mail", error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if sending:
                raise UnknownOutcome("the mail server did not say whether it took it") from error
            raise TemporaryFailure("the mail server broke off") from error


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; the mail is handed over, so nothing that happens here matters."""
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(_QUIT_SECONDS):
            await client.quit()
    client.close()
