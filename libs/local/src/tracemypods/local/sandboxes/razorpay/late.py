"""Late authorisations: a failed payment is authorised after a while, also after a restart."""

from __future__ import annotations

import asyncio
import logging

from tracemypods.kit.clock import Clock
from tracemypods.kit.tasks import end
from tracemypods.local.sandboxes.razorpay.errors import NotAllowed
from tracemypods.local.sandboxes.razorpay.payments import Payments
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.sandboxes.razorpay.store import Store

_log = logging.getLogger("tracemypods.razorpay_sandbox.late")


class LateAuthorisations:
    """Those that are still to come."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, payments: Payments) -> None:
        self._seconds = settings.late_seconds * settings.time_scale
        self._store = store
        self._clock = clock
        self._payments = payments
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Go on with those that were still to come."""
        for row in self._store.database.execute("SELECT * FROM late").fetchall():
            self._run(row["payment_id"], row["due_at"])

    async def stop(self) -> None:
        """Wait for none of them."""
        await end(*self._tasks)

    def plan(self, payment_id: str) -> None:
        """Authorise a payment that has failed, later."""
        due = self._clock().timestamp() + self._seconds
        self._store.database.execute("INSERT INTO late VALUES (?, ?)", (payment_id, due))
        self._run(payment_id, due)

    def _run(self, payment_id: str, due: float) -> None:
        task = asyncio.get_running_loop().create_task(self._authorise(payment_id, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _authorise(self, payment_id: str, due: float) -> None:
        await asyncio.sleep(due - self._clock().timestamp())
        with self._store.transaction():
            self._store.database.execute("DELETE FROM late WHERE payment_id = ?", (payment_id,))
            try:
                self._payments.authorise_late(payment_id)
            except NotAllowed:  # it was authorised by hand meanwhile
                _log.info("not failed any more", extra={"payment_id": payment_id})
