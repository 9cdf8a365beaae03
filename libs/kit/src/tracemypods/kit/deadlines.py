"""The time that is left for a request, handed on from caller to callee.

Whoever is called with `X-Deadline-Milliseconds` knows how long its caller will still wait. Calls
that it makes itself wait no longer than that and say so in turn. The gateway strips the header:
people's requests bring none.
"""

from __future__ import annotations

import asyncio
import re
from contextvars import ContextVar

HEADER = "X-Deadline-Milliseconds"

_MILLISECONDS = re.compile(r"[0-9]{1,8}")

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_time_left(header: str | None) -> None:
    """Take the time left from a request's header, for the rest of this task.

    What is no whole number of milliseconds within a day or so counts as no deadline.
    """
    if header is None or not _MILLISECONDS.fullmatch(header):
        _deadline.set(None)
    else:
        _deadline.set(asyncio.get_running_loop().time() + int(header) / 1000)


def time_left() -> float | None:
    """Seconds until the caller gives up, not below 0; None when it did not say."""
    deadline = _deadline.get()
    if deadline is None:
        return None
    return max(0.0, deadline - asyncio.get_running_loop().time())


def at_most(seconds: float | None) -> float | None:
    """A timeout in seconds, shortened to the time left; None for neither."""
    left = time_left()
    if left is None or (seconds is not None and seconds <= left):
        return seconds
    return left


def header_value() -> str | None:
    """The header for a call that is made on behalf of this request."""
    left = time_left()
    return None if left is None else str(int(left * 1000))
