"""Callers who leave before they have their answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

from tracemypods.kit.tasks import end

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for callers who left; it shows in the log only."""

ResultT = TypeVar("ResultT")


class CallerLeft(Exception):
    """The caller closed the connection, so there is nobody to answer."""


async def unless_left(receive: Receive, work: Awaitable[ResultT]) -> ResultT:
    """Await `work`, which is cancelled when the caller leaves. The body must have been read.

    Raises CallerLeft.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(working, leaving)
    if working.cancelled():
        raise CallerLeft
    return working.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
