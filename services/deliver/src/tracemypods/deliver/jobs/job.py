"""A job: one document that has to reach a buyer. Times are Unix times in milliseconds."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from tracemypods.contracts.events import (
    ORDER_PAID,
    DocumentKind,
    Envelope,
    OrderPaid,
    OrderRefunded,
)

Status = Literal["open", "done", "dead"]
"""`dead`: it was given up after all its tries, until an operator has it tried again."""

JOB_ID = r"^ord_[0-9a-f]{32}:(paid|refunded-[A-Za-z0-9_-]{1,100})$"
"""A job's id is its event's: whatever is sent twice meets the same job."""


class Frozen(BaseModel):
    """Does not change, and ignores fields that a newer version has written."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Dated(Frozen):
    """When the document is issued, and in which series and financial year it is numbered.

    Written before a number is taken, so that a job that goes on after the turn of the year takes no
    second one.
    """

    at: int
    series: str
    year: int


class Job(Frozen):
    """One job. `event` is the envelope that it follows from, as JSON.

    `mail` is `sending` before the mail server is spoken to: then it may have been sent. `mails` is
    how often it was wanted: an operator may want it again. `due_at` is when it has to be looked at,
    and whoever does (`leased_by`) has it until `leased_until`; it is not there while nothing has to
    be done.
    """

    id: str = Field(validation_alias=AliasChoices("_id", "id"), serialization_alias="_id")
    order_id: str
    kind: DocumentKind
    event: str
    created_at: int
    status: Status = "open"
    dated: Dated | None = None
    number: str | None = None
    key: str | None = None
    mail: Literal["none", "sending", "sent"] = "none"
    mails: int = 1
    mailed_at: int | None = None
    tries: int = 0
    problem: str | None = None
    dead: str | None = None
    due_at: int | None = None
    leased_until: int = 0
    leased_by: str | None = None

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @property
    def envelope(self) -> Envelope:
        """The event that it follows from."""
        return Envelope.model_validate_json(self.event)

    @property
    def paid(self) -> OrderPaid:
        """The order, as it was paid."""
        told = self.envelope
        if told.type == ORDER_PAID:
            return OrderPaid.model_validate(told.body)
        return OrderRefunded.model_validate(told.body).paid

    @property
    def message_id(self) -> str:
        """What makes the mail's Message-ID: the same however often it is tried."""
        name = self.id.replace(":", "-")
        again = "" if self.mails == 1 else f"-{self.mails}"
        return f"invoice-{name}{again}"
