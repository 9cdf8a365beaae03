"""The messages on disk: one SQLite file, written through before a message counts as taken."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tracemypods.kit.clock import Clock
from tracemypods.kit.ids import new_id
from tracemypods.local.sandboxes.mail import content

PAGE_CHARACTERS = 8_000_000
"""A page ends early when the messages on it hold more than this."""

_BUSY_SECONDS = 2.0
"""How long is waited for another program that has the file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    folded TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL DEFAULT '',
    text TEXT,
    html TEXT,
    attachments TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    source BLOB NOT NULL
)
"""
_ADD_MESSAGE_ID = "ALTER TABLE messages ADD COLUMN message_id TEXT NOT NULL DEFAULT ''"
"""For files of the time before there was such a column."""
_SHOWN = "id, received_at, sender, recipients, subject, message_id, text, html, attachments, bytes"

_INSERT = (
    "INSERT INTO messages (id, received_at, sender, recipients, folded, subject, message_id, text,"
    " html, attachments, bytes, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_DROP_BY_NUMBER = (
    "DELETE FROM messages WHERE seq <="
    " (SELECT seq FROM messages ORDER BY seq DESC LIMIT 1 OFFSET ?)"
)
_DROP_BY_SIZE = (
    "DELETE FROM messages WHERE seq IN (SELECT seq FROM"
    " (SELECT seq, SUM(bytes) OVER (ORDER BY seq DESC) AS total FROM messages) WHERE total > ?)"
)

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class AttachmentFacts:
    """What a list says of an attachment."""

    name: str
    type: str
    bytes: int


@dataclass(frozen=True)
class Kept:
    """A message as it is shown. `sender` and `recipients` are the envelope's."""

    id: str
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    text: str | None
    html: str | None
    attachments: tuple[AttachmentFacts, ...]
    bytes: int


class MailStore:
    """The newest messages. Calls run in a thread of its own and raise sqlite3.Error."""

    def __init__(self, folder: Path, clock: Clock, *, kept_messages: int, kept_bytes: int) -> None:
        self._folder = folder
        self._clock = clock
        self._kept_messages = kept_messages
        self._kept_bytes = kept_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail-store")
        self._database: sqlite3.Connection | None = None
        self.version = new_id("v")
        """Another one whenever something else is kept."""

    async def open(self) -> None:
        """Open the file, which is made with its folder when it is not there. Raises OSError."""
        await self._run(self._open)

    async def close(self) -> None:
        """Close the file."""
        await self._run(lambda: self._opened.close())
        self._thread.shutdown()

    async def ping(self) -> None:
        """Return when the file can be read."""
        await self._run(lambda: self._opened.execute("SELECT 1 FROM messages LIMIT 1").fetchone())

    async def add(self, raw: bytes, sender: str, recipients: Iterable[str]) -> str:
        """Keep a message; returns its id once it is on the disk."""
        identifier = new_id("mail")
        await self._run(lambda: self._add(identifier, raw, sender, [*recipients]))
        self.version = new_id("v")
        return identifier

    async def page(self, to: str | None, before: str | None, limit: int) -> tuple[list[Kept], bool]:
        """The newest messages (to an address, older than one of them), and whether there are more.

        One that is gone was older than all that are left.
        """
        return await self._run(lambda: self._page(to, before, limit))

    async def get(self, identifier: str) -> Kept | None:
        """One message; None when it is not there (any more)."""

        def find() -> Kept | None:
            row = self._opened.execute(
                f"SELECT {_SHOWN} FROM messages WHERE id = ?",  # noqa: S608 - no value in it
                (identifier,),
            ).fetchone()
            return _kept(row) if row else None

        return await self._run(find)

    async def source(self, identifier: str) -> bytes | None:
        """A message as it came; None when it is not there (any more)."""

        def find() -> bytes | None:
            row = self._opened.execute(
                "SELECT source FROM messages WHERE id = ?", (identifier,)
            ).fetchone()
            return row[0] if row else None

        return await self._run(find)

    async def attachment(self, identifier: str, n: int) -> content.Attachment | None:
        """One attachment of a message, counted from 0; None when it is not there."""
        raw = await self.source(identifier)
        if raw is None:
            return None
        found = (await self._run(lambda: content.read(raw))).attachments
        return found[n] if n < len(found) else None

    async def delete_all(self) -> None:
        """Keep none of them."""
        await self._run(lambda: self._opened.execute("DELETE FROM messages"))
        self.version = new_id("v")

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("the store is not open")
        return self._database

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = sqlite3.connect(
            self._folder / "messages.sqlite3",
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        # What is deleted makes the file smaller; what is written is on the disk when it returns.
        database.execute("PRAGMA auto_vacuum = FULL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(_SCHEMA)
        columns = [row[1] for row in database.execute("PRAGMA table_info(messages)")]
        if "message_id" not in columns:
            database.execute(_ADD_MESSAGE_ID)
        self._database = database

    def _add(self, identifier: str, raw: bytes, sender: str, recipients: list[str]) -> None:
        read = content.read(raw)
        recipients = [content.line(one) for one in recipients]
        attachments = [(one.name, one.type, len(one.content)) for one in read.attachments]
        values = (
            identifier,
            self._clock().isoformat(),
            content.line(sender),
            json.dumps(recipients),
            json.dumps([one.casefold() for one in recipients]),
            read.subject,
            read.message_id,
            read.text,
            read.html,
            json.dumps(attachments),
            len(raw),
            raw,
        )
        with self._opened as database:  # which commits, or rolls back
            database.execute("BEGIN")
            database.execute(_INSERT, values)
            database.execute(_DROP_BY_NUMBER, (self._kept_messages,))
            database.execute(_DROP_BY_SIZE, (self._kept_bytes,))

    def _page(self, to: str | None, before: str | None, limit: int) -> tuple[list[Kept], bool]:
        where, values = "1", list[Any]()
        if before is not None:
            row = self._opened.execute(
                "SELECT seq FROM messages WHERE id = ?", (before,)
            ).fetchone()
            if row is None:
                return [], False
            where, values = "seq < ?", [row[0]]
        if to is not None:
            where += " AND EXISTS (SELECT 1 FROM json_each(folded) WHERE value = ?)"
            values.append(content.line(to).casefold())
        rows = self._opened.execute(
            f"SELECT {_SHOWN} FROM messages WHERE {where} "  # noqa: S608 - no value in it
            "ORDER BY seq DESC LIMIT ?",
            [*values, limit + 1],
        )
        found: list[Kept] = []
        characters = 0
        for row in rows:
            if len(found) == limit or (found and characters > PAGE_CHARACTERS):
                rows.close()
                return found, True
            kept = _kept(row)
            characters += len(kept.text or "") + len(kept.html or "")
            found.append(kept)
        return found, False


def _kept(row: tuple[Any, ...]) -> Kept:
    identifier, received_at, sender, recipients, subject, message_id = row[:6]
    text, html, attachments, size = row[6:]
    return Kept(
        id=identifier,
        received_at=datetime.fromisoformat(received_at),
        sender=sender,
        recipients=tuple(json.loads(recipients)),
        subject=subject,
        message_id=message_id,
        text=text,
        html=html,
        attachments=tuple(AttachmentFacts(*one) for one in json.loads(attachments)),
        bytes=size,
    )
