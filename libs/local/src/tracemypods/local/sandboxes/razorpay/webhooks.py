"""Webhooks: kept, signed, sent, and sent again until somebody says 2xx (webhooks, best practices).

An event that was kept is not forgotten: what was still to be sent when the sandbox stopped is sent
when it starts again. A signature is made once, when the event is, so that it keeps its secret.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Literal, cast

import aiohttp

from tracemypods.kit.clock import Clock
from tracemypods.kit.tasks import end
from tracemypods.local.sandboxes.razorpay.events import Event
from tracemypods.local.sandboxes.razorpay.faults import PayFault
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.sandboxes.razorpay.signatures import sign
from tracemypods.local.sandboxes.razorpay.store import Store

_log = logging.getLogger("tracemypods.razorpay_sandbox.webhooks")

AT_ONCE = 32
"""How many are on their way at a time."""

WebhookState = Literal["pending", "delivered", "lost", "unsent", "given_up"]
"""Lost by a fault; unsent because there is no address; given up after a day."""

NO_FAULTS: frozenset[PayFault] = frozenset()


class Webhooks:
    """Sends events to the one address of the settings."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Send what is still to be sent."""
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        rows = self._store.database.execute(
            "SELECT event_id FROM webhooks WHERE state = 'pending' ORDER BY number"
        ).fetchall()
        for row in rows:
            self._run([row["event_id"]])

    async def stop(self) -> None:
        """Stop sending; what is pending stays so."""
        await end(*self._tasks)
        if self._session is not None:
            await self._session.close()

    def announce(self, events: Sequence[Event], faults: Collection[PayFault] = NO_FAULTS) -> None:
        """Keep events, as a part of the caller's transaction, and send them in their order.

        Of `faults` those of webhooks are heeded.
        """
        settings, now = self._settings, self._clock().timestamp()
        late = settings.delay_seconds * settings.time_scale if PayFault.DELAY in faults else 0
        state: WebhookState = "pending" if settings.webhook_address else "unsent"
        if PayFault.LOSE in faults:
            state = "lost"
        copies = 2 if PayFault.DUPLICATE in faults else 1
        secret = settings.webhook_secret.get_secret_value()
        for one in events:
            body = json.dumps(one.body, separators=(",", ":"), ensure_ascii=False).encode()
            self._store.database.execute(
                "INSERT INTO webhooks (event_id, event, payment_id, order_id, body, signature,"
                " created_at, due_at, state, copies) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(one.event_id, one.name, one.payment_id, one.order_id),
                    *(body, sign(body, secret), now, now + late, state, copies),
                ),
            )
        if state == "pending":
            ids = [one.event_id for one in events]
            self._run(ids[::-1] if PayFault.REORDER in faults else ids)

    async def redeliver(self, event_id: str) -> int | None:
        """Send an event once more, whatever its state; returns the answer's status, if any.

        Raises KeyError for an event that there is none of.
        """
        if self._find(event_id) is None:
            raise KeyError(event_id)
        return await self._attempt(event_id)

    def sent(
        self, *, state: str | None, order_id: str | None, count: int, skip: int
    ) -> list[dict[str, Any]]:
        """The events that were kept, newest first, with what became of them."""
        rows = self._store.database.execute(
            "SELECT * FROM webhooks WHERE (? IS NULL OR state = ?) AND (? IS NULL OR order_id = ?)"
            " ORDER BY number DESC LIMIT ? OFFSET ?",
            (state, state, order_id, order_id, count, skip),
        )
        return [
            {
                **{
                    name: row[name]
                    for name in (
                        *("event_id", "event", "payment_id", "order_id", "state", "attempts"),
                        *("last_status", "created_at", "signature"),
                    )
                },
                "body": row["body"].decode(),
            }
            for row in rows
        ]

    def _run(self, event_ids: list[str]) -> None:
        if self._session is None:  # not started yet; start() takes them
            return
        task = asyncio.get_running_loop().create_task(self._send(event_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, event_ids: list[str]) -> None:
        for event_id in event_ids:
            row = self._find(event_id)
            if row is None:  # its transaction came to nothing
                continue
            await asyncio.sleep(row["due_at"] - self._clock().timestamp())
            await self._attempt(event_id)
            row = self._find(event_id)
            if row is not None and row["state"] == "pending" and len(event_ids) > 1:
                self._run([event_id])  # the others do not wait for it
            while row is not None and row["state"] == "pending" and len(event_ids) == 1:
                await asyncio.sleep(row["due_at"] - self._clock().timestamp())
                await self._attempt(event_id)
                row = self._find(event_id)

    async def _attempt(self, event_id: str) -> int | None:
        row = self._find(event_id)
        assert row is not None  # noqa: S101 - rows are not deleted
        answers = await asyncio.gather(*(self._post(row) for _ in range(row["copies"])))
        status = max(answers, key=lambda one: one is not None and 200 <= one < 300)
        self._note(row, status)
        return status

    async def _post(self, row: sqlite3.Row) -> int | None:
        """Send one copy; returns the answer's status, or None when there was none in time."""
        settings = self._settings
        if self._session is None or settings.webhook_address is None:
            return None
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Razorpay-Webhook/v1",
            "X-Razorpay-Signature": row["signature"],
            "X-Razorpay-Event-Id": row["event_id"],
        }
        timeout = aiohttp.ClientTimeout(total=settings.webhook_answer_seconds)
        try:
            async with (
                self._at_once,
                self._session.post(
                    settings.webhook_address,
                    data=row["body"],
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                ) as response,
            ):
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.info("webhook failed", extra={"reason": type(error).__name__})
            return None

    def _note(self, row: sqlite3.Row, status: int | None) -> None:
        """Write down how an attempt ended, and when the next one is due."""
        settings, now = self._settings, self._clock().timestamp()
        attempts = row["attempts"] + 1
        state, due = row["state"], row["due_at"]
        if status is not None and 200 <= status < 300:
            state = "delivered"
        elif state == "pending":
            gap = (
                settings.webhook_retry_seconds * settings.time_scale * 2.0 ** min(attempts - 1, 40)
            )
            due = now + gap
            if due > row["created_at"] + settings.webhook_retry_hours * 3600 * settings.time_scale:
                state = "given_up"
        self._store.database.execute(
            "UPDATE webhooks SET state = ?, attempts = ?, due_at = ?, last_status = ?"
            " WHERE event_id = ?",
            (state, attempts, due, status, row["event_id"]),
        )

    def _find(self, event_id: str) -> sqlite3.Row | None:
        row = self._store.database.execute(
            "SELECT * FROM webhooks WHERE event_id = ?", (event_id,)
        ).fetchone()
        return cast("sqlite3.Row | None", row)
