"""Jobs as operators see them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tracemypods.deliver.jobs.job import Job


class DeliveryOut(BaseModel):
    """A document on its way to a buyer. Times are Unix times in milliseconds."""

    delivery_id: str
    order_id: str
    kind: Literal["invoice", "credit_note"]
    status: Literal["open", "done", "dead"]
    number: str | None = None
    mail: Literal["none", "sending", "sent"] = Field(
        description="`sending` while nobody knows whether the mail server took it"
    )
    mails: int = Field(description="How often it was wanted: more than once when sent again")
    mailed_at: int | None = None
    key: str | None = Field(None, description="Of the file in the bucket")
    tries: int = Field(description="How often it failed since the last success")
    problem: str | None = Field(None, description="Why it failed last")
    created_at: int
    due_at: int | None = Field(None, description="When it is looked at next")


class DeliveryList(BaseModel):
    """Deliveries; `cursor` asks for more, if there are more."""

    items: list[DeliveryOut]
    cursor: str | None = None


def shown(job: Job) -> DeliveryOut:
    """A job without what is in its event."""
    return DeliveryOut(delivery_id=job.id, **job.model_dump(exclude={"id", "event", "dated"}))
