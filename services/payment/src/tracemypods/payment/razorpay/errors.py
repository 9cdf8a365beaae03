"""What can go wrong with a call to Razorpay.

RazorpayFailure
├── RazorpayError  it answered with an error, of which all documented fields are kept
└── RazorpayAway   it cannot be reached, says nothing in time, or nothing that can be read
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_NOT_A_REFUSAL = frozenset({401, 403, 408, 409, 425, 429})
"""Our key is wrong, the same call is still being handled, or it was too early for one: what was
asked for may be done another time."""


class RazorpayFailure(Exception):
    """A call to Razorpay failed."""

    refused = False
    """Whether Razorpay will not do what was asked, however often it is asked."""
    may_have_been_done = True
    """Whether Razorpay may have done it all the same."""


class RazorpayAway(RazorpayFailure):
    """There was no answer, or none that can be read."""

    def __init__(self, reason: str, *, asked: bool, late: bool = False) -> None:
        """`asked` is False when the question never left; `late` is True for a timeout."""
        super().__init__(reason)
        self.reason = reason
        self.may_have_been_done = asked
        self.late = late


class _Fields(BaseModel):
    """Razorpay's error object (documentation, "Errors")."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    code: str = Field("", max_length=200)
    description: str = ""
    field: str | None = None
    source: str | None = None
    step: str | None = None
    reason: str | None = None
    metadata: dict[str, Any] | list[Any] | None = None


class _Body(BaseModel):
    error: _Fields


class RazorpayError(RazorpayFailure):
    """Razorpay answered with an error.

    `status` is HTTP's; `code`, `description`, `field`, `source`, `step`, `reason` and `metadata`
    are what Razorpay documents. An answer without them has the code `UNREADABLE_ERROR`.
    """

    def __init__(self, status: int, body: bytes) -> None:
        try:
            fields = _Body.model_validate_json(body).error
        except ValidationError:
            fields = _Fields(
                code="UNREADABLE_ERROR", description=f"status {status} without an error object"
            )
        super().__init__(f"{status} {fields.code}: {fields.description}")
        self.status = status
        self.code = fields.code
        self.description = fields.description
        self.field = fields.field
        self.source = fields.source
        self.step = fields.step
        self.reason = fields.reason
        self.metadata = fields.metadata
        self.refused = 400 <= status < 500 and status not in _NOT_A_REFUSAL
        self.may_have_been_done = not self.refused

    @property
    def unknown_id(self) -> bool:
        """Whether there is nothing under the id. Razorpay says so with 400 as well as with 404."""
        said = ("does not exist", "not a valid id")
        return self.status == 404 or (
            self.status == 400 and any(words in self.description for words in said)
        )

    @property
    def receipt_taken(self) -> bool:
        """Whether an order has this receipt already ("Order receipt should be unique")."""
        return self.status == 400 and "receipt" in f"{self.field} {self.description}".lower()

    @property
    def worth_another_try(self) -> bool:
        """Whether a read may be answered when it is asked again at once."""
        return self.status == 429 or self.status >= 500
