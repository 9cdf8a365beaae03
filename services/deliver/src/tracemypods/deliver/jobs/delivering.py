"""What is done for one job: number, render, keep, mail, tell. Each step may be done again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tracemypods.contracts.events import (
    DELIVERED,
    DELIVERIES,
    DELIVERY_FAILED,
    Delivered,
    DeliveryFailed,
    Envelope,
    OrderPaid,
    OrderRefunded,
)
from tracemypods.deliver.files.keeping import Files
from tracemypods.deliver.invoices import making
from tracemypods.deliver.invoices.document import Document, Reference
from tracemypods.deliver.invoices.numbers import Numbers
from tracemypods.deliver.invoices.store import Invoices
from tracemypods.deliver.invoices.years import financial_year
from tracemypods.deliver.jobs.job import Dated, Job
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.deliver.mails.letter import letter
from tracemypods.mail.sending import Mailer

_log = logging.getLogger("tracemypods.deliver.jobs")

PRODUCER = "deliver"

DONE: dict[str, Any] = {"status": "done", "tries": 0, "problem": None}
"""How a job is whose document was mailed; order may not know of it yet."""


class NotYet(Exception):
    """The invoice that a credit note belongs to has no number yet."""


class Renders(Protocol):
    """What makes a PDF of a document."""

    async def render(self, document: Document) -> bytes:
        """The PDF. Raises RenderFailed or NotRendered."""
        ...


class Publishes(Protocol):
    """Kafka, as far as it matters here."""

    async def publish(self, topic: str, envelope: Envelope) -> None:
        """Return once the broker has it. Raises Unavailable `kafka_unavailable`."""

    async def publish_dead(self, topic: str, envelope: Envelope, reason: str) -> None:
        """Put an event that can't be handled into the topic's dead letters; raises likewise."""


@dataclass(frozen=True)
class Series:
    """What numbers of documents begin with; those of test orders are of series of their own."""

    invoices: str
    credit_notes: str
    test_invoices: str
    test_credit_notes: str

    def of(self, job: Job, paid: OrderPaid) -> str:
        """The series of a job's document."""
        if job.kind == "invoice":
            return self.invoices if paid.livemode else self.test_invoices
        return self.credit_notes if paid.livemode else self.test_credit_notes


@dataclass(frozen=True)
class Delivering:
    """Works at jobs. `now` tells the time in milliseconds; `banner` is a line on every document.

    Raises what stands in the way: Problems of what is beside, MailError, RenderFailed,
    NotRendered, NotYet.
    """

    jobs: Jobs
    invoices: Invoices
    numbers: Numbers
    renderer: Renders
    files: Files
    mailer: Mailer
    publisher: Publishes
    series: Series
    now: Callable[[], int]
    banner: str | None = None

    async def deliver(self, job: Job) -> Job:
        """Do what is left of an open job, up to the mail; returns it done."""
        document = await self._document(job)
        if job.number is None:
            job = await self.jobs.note(job, number=document.number)
        if job.mail == "sent":
            return await self.jobs.note(job, **DONE)
        pdf = await self._pdf(job, document)
        job = await self.jobs.note(job, key=job.key or self.files.key(document), mail="sending")
        paid = job.paid
        await self.mailer.send(letter(document, pdf, paid.email, job.message_id))
        job = await self.jobs.note(job, mail="sent", mailed_at=self.now(), **DONE)
        _log.info("mailed", extra={"job": job.id, "number": document.number})
        return job

    async def _document(self, job: Job) -> Document:
        if job.number is not None:
            kept = await self.invoices.get(job.id)
            if kept is not None:
                return kept
        told, paid = job.envelope, job.paid
        refers_to: Reference | None = None
        if job.kind == "credit_note":
            invoice = await self.invoices.get(f"{job.order_id}:paid")
            if invoice is None:
                raise NotYet
            refers_to = Reference(number=invoice.number, issued_at=invoice.issued_at)
        dated = job.dated or await self._date(job, paid)

        def make(number: str) -> Document:
            if refers_to is None:
                return making.invoice(paid, number, dated.at, self.banner)
            refunded = OrderRefunded.model_validate(told.body)
            return making.credit_note(refunded, number, dated.at, self.banner, refers_to)

        return await self.numbers.numbered(job.id, dated.series, dated.year, make)

    async def _date(self, job: Job, paid: OrderPaid) -> Dated:
        now = self.now()
        dated = Dated(at=now, series=self.series.of(job, paid), year=financial_year(now))
        return await self.jobs.date(job.id, dated)

    async def _pdf(self, job: Job, document: Document) -> bytes:
        """The file: the one that is kept, or a new one that is kept from now on."""
        if job.key is not None:
            return await self.files.get(job.key)
        return await self.files.keep(document, await self.renderer.render(document))

    async def tell(self, job: Job) -> None:
        """Let order know how a job has ended."""
        if job.status == "dead":
            kind = DELIVERY_FAILED
            body = DeliveryFailed(
                confirms=job.id,
                order_id=job.order_id,
                kind=job.kind,
                reason=job.problem or "given up",
            )
        else:
            if job.number is None or job.mailed_at is None:
                raise AssertionError("what is not mailed is not told")
            kind = DELIVERED
            body = Delivered(
                confirms=job.id,
                order_id=job.order_id,
                kind=job.kind,
                number=job.number,
                mailed_at=job.mailed_at,
            )
        envelope = Envelope(
            id=f"{job.id}:{kind}:{job.mails}",
            type=kind,
            at=self.now(),
            key=job.order_id,
            producer=PRODUCER,
            traceparent=job.envelope.traceparent,
            body=body.model_dump(mode="json"),
        )
        await self.publisher.publish(DELIVERIES, envelope)
