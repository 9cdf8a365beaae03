"""From events to jobs: the one thing that is done while Kafka waits."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import ValidationError

from tracemypods.contracts.events import (
    ORDER_PAID,
    ORDER_REFUNDED,
    DocumentKind,
    Envelope,
    OrderPaid,
    OrderRefunded,
)
from tracemypods.contracts.prices import Price
from tracemypods.deliver.jobs.job import JOB_ID, Job
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.events.dead_letters import Unhandleable


class Intake:
    """Makes jobs of order's events. `now` tells the time in milliseconds; `woken` is called once
    there is something to do."""

    def __init__(
        self, jobs: Jobs, now: Callable[[], int], woken: Callable[[], None], *, only_live: bool
    ) -> None:
        self._jobs = jobs
        self._now = now
        self._woken = woken
        self._only_live = only_live

    async def take(self, envelope: Envelope) -> None:
        """Keep what has to be done because of an event; one that was seen is confirmed again.

        Raises Unhandleable for an event that no document can be made of, and Unavailable when
        MongoDB is away.
        """
        kind = _kind(envelope)
        if kind is None:  # of a later version
            return
        paid = _read(envelope, OrderPaid if kind == "invoice" else OrderRefunded)
        self._check(envelope, paid)
        now = self._now()
        job = Job(
            id=envelope.id,
            order_id=paid.order_id,
            kind=kind,
            event=envelope.model_dump_json(),
            created_at=now,
            due_at=now,
        )
        if not await self._jobs.add(job):
            await self._jobs.wake(job.id, now)
        self._woken()

    def _check(self, envelope: Envelope, paid: OrderPaid) -> None:
        if paid.order_id != envelope.key or not envelope.id.startswith(f"{paid.order_id}:"):
            raise Unhandleable("its body is of another order than its key")
        if not re.fullmatch(JOB_ID, envelope.id):
            raise Unhandleable("its id is none of order's")
        if self._only_live and not paid.livemode:
            raise Unhandleable("a test order has no place in production")
        if not _adds_up(paid.price):
            raise Unhandleable("its price does not add up")


def _kind(envelope: Envelope) -> DocumentKind | None:
    kinds: dict[str, DocumentKind] = {ORDER_PAID: "invoice", ORDER_REFUNDED: "credit_note"}
    return kinds.get(envelope.type)


def _read(envelope: Envelope, kind: type[OrderPaid] | type[OrderRefunded]) -> OrderPaid:
    try:
        body = kind.model_validate(envelope.body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in error.errors()[:5])
        raise Unhandleable(f"fields of its body are wrong: {fields}") from None
    if isinstance(body, OrderPaid):
        return body
    if body.refunded_before + body.amount > body.paid.price.total:
        raise Unhandleable("more went back than was paid")
    return body.paid


def _adds_up(price: Price) -> bool:
    parts = [price.taxable, *(tax.amount for tax in price.taxes)]
    return price.total > 0 and min(parts) >= 0 and sum(parts) == price.total
