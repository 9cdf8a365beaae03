"""The SMTP side: takes every message, and says so once it is kept."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import weakref
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from tracemypods.local.sandboxes.mail.faults import Faults
from tracemypods.local.sandboxes.mail.store import MailStore

_log = logging.getLogger("tracemypods.mail")
# It would write addresses and lines of messages.
logging.getLogger("mail.log").setLevel(logging.ERROR)

RECIPIENTS = 100
"""How many one message may have."""
SILENCE_SECONDS = 60.0
"""How long a connection may say nothing."""
HOSTNAME = "mail.sandbox.invalid"


class Capture:
    """What aiosmtpd calls for each recipient and each message."""

    def __init__(self, store: MailStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take a recipient."""
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        fault = self._faults.take([address], "recipient")
        if fault:
            return f"{fault.code} {fault.code // 100}.0.0 Refused on purpose"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a message."""
        fault = self._faults.take(envelope.rcpt_tos, "message")
        if fault and fault.kind == "refuse":
            return f"{fault.code} {fault.code // 100}.0.0 Refused on purpose"
        if fault and fault.kind == "hang":
            await self._faults.lifted()
        if fault and fault.kind == "drop" and not fault.kept:
            return await self._drop(server)
        raw = envelope.original_content or b""
        try:
            identifier = await self._store.add(raw, envelope.mail_from or "", envelope.rcpt_tos)
        except sqlite3.Error as error:
            _log.error("a message could not be kept", extra={"reason": str(error)})
            return "452 4.3.1 It could not be kept; check the space left on the disk"
        _log.info("message kept", extra={"id": identifier, "bytes": len(raw)})
        if fault and fault.kind == "drop":
            return await self._drop(server)
        return f"250 2.0.0 Kept as {identifier}"

    async def handle_exception(self, error: Exception) -> str:
        """Answer what nothing foresaw."""
        _log.error("unhandled error", exc_info=error)
        return "451 4.3.0 Something went wrong; see the log"

    async def _drop(self, server: SMTP) -> str:
        """Close the connection, which ends this task."""
        _abort(server)
        await asyncio.Event().wait()
        return "421 4.0.0 Never said"


class SmtpServer:
    """Listens for SMTP on `host` and `port` (0: any; the attribute has the one it is)."""

    def __init__(self, capture: Capture, host: str, port: int, message_bytes: int) -> None:
        self._capture = capture
        self._host = host
        self.port = port
        self._message_bytes = message_bytes
        self._connections: weakref.WeakSet[SMTP] = weakref.WeakSet()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no more connections and end those there are; what was not answered is not kept."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            _abort(connection)

    async def check(self) -> None:
        """Return while it listens. Raises ConnectionError."""
        if self._server is None or not self._server.is_serving():
            raise ConnectionError("SMTP is not listened for")

    def _connected(self) -> SMTP:
        connection = SMTP(
            self._capture,
            data_size_limit=self._message_bytes,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="captured mail: nothing leaves this machine",
            timeout=SILENCE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._connections.add(connection)
        return connection


def _abort(connection: SMTP) -> None:
    transport = cast("asyncio.WriteTransport | None", connection.transport)
    if transport is not None:
        transport.abort()
