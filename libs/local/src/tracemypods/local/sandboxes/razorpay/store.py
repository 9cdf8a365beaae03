"""What the sandbox remembers: a SQLite database, in a file or in memory.

Everything happens in the loop's thread and without waiting, so a transaction is never interrupted
by another one. What was answered survives the end of the process, however it ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

from tracemypods.local.sandboxes.razorpay.validation import Page

FILE = "razorpay.sqlite3"

Kind = Literal["order", "payment", "refund", "dispute"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entities (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    parent TEXT,              -- a payment's order, a refund's or a dispute's payment
    receipt TEXT,
    created_at INTEGER NOT NULL,
    manual_capture INTEGER NOT NULL DEFAULT 0,
    entity TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entities_time ON entities (kind, created_at);
CREATE INDEX IF NOT EXISTS entities_parent ON entities (kind, parent);
CREATE UNIQUE INDEX IF NOT EXISTS orders_receipt ON entities (receipt)
    WHERE kind = 'order' AND receipt IS NOT NULL;
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, refund_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS money (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    amount INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS money_payment ON money (payment_id);
CREATE TABLE IF NOT EXISTS webhooks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    body BLOB NOT NULL,
    signature TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    state TEXT NOT NULL,
    copies INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER
);
CREATE INDEX IF NOT EXISTS webhooks_state ON webhooks (state);
CREATE INDEX IF NOT EXISTS webhooks_order ON webhooks (order_id);
CREATE TABLE IF NOT EXISTS late (payment_id TEXT PRIMARY KEY, due_at REAL NOT NULL);
"""


class Store:
    """The database. `folder` is made when it is not there; None keeps all in memory."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(
            ":memory:" if folder is None else folder / FILE,
            isolation_level=None,
            check_same_thread=False,
        )
        self.database.row_factory = sqlite3.Row
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def check(self) -> None:
        """Raise what is wrong with the database."""
        self.database.execute("SELECT 1 FROM entities LIMIT 1").fetchall()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing of what is written inside. Those inside another are part of it."""
        if self.database.in_transaction:
            yield
            return
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def add(
        self,
        kind: Kind,
        entity: Any,
        *,
        parent: str | None = None,
        manual_capture: bool = False,
    ) -> None:
        """Keep a new entity. Raises sqlite3.IntegrityError for an order's receipt that is taken."""
        self.database.execute(
            "INSERT INTO entities (kind, id, parent, receipt, created_at, manual_capture, entity)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                kind,
                entity["id"],
                parent,
                entity.get("receipt"),
                entity["created_at"],
                manual_capture,
                json.dumps(entity),
            ),
        )

    def save(self, entity: Any) -> None:
        """Keep an entity as it is now."""
        self.database.execute(
            "UPDATE entities SET entity = ? WHERE id = ?", (json.dumps(entity), entity["id"])
        )

    def find(self, kind: Kind, identifier: str) -> Any | None:
        """An entity by its id."""
        row = self.database.execute(
            "SELECT entity FROM entities WHERE id = ? AND kind = ?", (identifier, kind)
        ).fetchone()
        return None if row is None else json.loads(row["entity"])

    def captures_manually(self, order_id: str) -> bool:
        """Whether payments of an order wait until they are captured."""
        row = self.database.execute(
            "SELECT manual_capture FROM entities WHERE id = ?", (order_id,)
        ).fetchone()
        return bool(row["manual_capture"])

    def with_receipt(self, receipt: str) -> str | None:
        """The id of the order with a receipt."""
        row = self.database.execute(
            "SELECT id FROM entities WHERE kind = 'order' AND receipt = ?", (receipt,)
        ).fetchone()
        return None if row is None else cast("str", row["id"])

    def children(self, kind: Kind, parent: str) -> list[Any]:
        """The payments of an order, or the refunds or disputes of a payment, newest first."""
        rows = self.database.execute(
            "SELECT entity FROM entities WHERE kind = ? AND parent = ? ORDER BY number DESC",
            (kind, parent),
        )
        return [json.loads(row["entity"]) for row in rows]

    def page(self, kind: Kind, page: Page, parent: str | None = None) -> list[Any]:
        """A part of a list, newest first."""
        conditions, values = ["kind = ?"], [cast("str | int", kind)]
        for condition, value in (
            ("created_at >= ?", page.since),
            ("created_at <= ?", page.until),
            ("receipt = ?", page.receipt),
            ("parent = ?", parent),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        rows = self.database.execute(
            f"SELECT entity FROM entities WHERE {' AND '.join(conditions)}"  # noqa: S608 - ours
            " ORDER BY number DESC LIMIT ? OFFSET ?",
            (*values, page.count, page.skip),
        )
        return [json.loads(row["entity"]) for row in rows]
