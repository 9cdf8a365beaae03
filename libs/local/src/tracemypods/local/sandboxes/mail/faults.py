"""Failing on purpose: what a mail server can do to whoever sends, for tests to ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Fault(BaseModel):
    """What happens to the next messages.

    `refuse`: answered with `code`, to RCPT TO or after the message. `hang`: no answer after the
    message until the fault is lifted, when it is taken as usual. `drop`: the connection is closed
    after the message, without an answer, and the message was kept (`kept`) or not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["refuse", "hang", "drop"]
    code: int = Field(451, ge=400, le=599, description="The refusal: 4xx for now, 5xx for good")
    at: Literal["recipient", "message"] = "message"
    kept: bool = False
    to: str | None = Field(None, max_length=320, description="Only mail to this address")
    times: int | None = Field(None, ge=1, description="So many messages; all when not set")

    @model_validator(mode="after")
    def _only_refusals_are_to_recipients(self) -> Self:
        if self.at == "recipient" and self.kind != "refuse":
            raise ValueError("only `refuse` is done to recipients")
        return self


class Faults:
    """The fault that holds, if any. It lasts no longer than this process."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.left: int | None = None
        """How many messages it is still for."""
        self._lifted = asyncio.Event()

    def set(self, fault: Fault | None) -> None:
        """Begin with a fault, or with none: what hangs goes on."""
        self.fault = fault
        self.left = fault.times if fault else None
        self._lifted.set()
        self._lifted = asyncio.Event()

    def take(self, recipients: Iterable[str], at: Literal["recipient", "message"]) -> Fault | None:
        """The fault for a message, which counts; None where none is for it now."""
        fault = self.fault
        if fault is None or fault.at != at:
            return None
        if fault.to and fault.to.casefold() not in [one.casefold() for one in recipients]:
            return None
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                # What is hanging is still waited for until somebody lifts it.
                self.fault = None
        return fault

    async def lifted(self) -> None:
        """Return when another fault, or none, is set."""
        await self._lifted.wait()
