"""What is known about the request that is being handled, wherever in the code one is."""

from __future__ import annotations

from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request that is being handled; empty outside of one."""
    return _request_id.get()


def set_request_id(value: str) -> None:
    """Bind the id for the rest of this task."""
    _request_id.set(value)
