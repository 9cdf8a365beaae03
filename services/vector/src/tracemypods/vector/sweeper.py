"""Deletes entries that have expired. Searches do not find them before that either."""

from __future__ import annotations

import asyncio
import logging

from tracemypods.kit.errors import Problem
from tracemypods.vector.state import State

_log = logging.getLogger("tracemypods.vector.sweeper")


async def keep_sweeping(state: State) -> None:
    """Sweep, for ever; a store that is away is tried again the next time."""
    while True:
        await asyncio.sleep(state.settings.sweep_seconds)
        try:
            await sweep(state)
        except Problem as error:
            state.metrics.failed_sweeps.inc()
            _log.warning("sweep failed", extra={"reason": error.code})


async def sweep(state: State) -> int:
    """Delete what has expired, in all collections; returns how many entries that were.

    Raises what the store raises.
    """
    total = 0
    for collection in await state.store.collections():
        total += await state.entries.delete_expired(collection)
        entries = await state.store.count(collection)
        state.metrics.entries.labels(collection.name).set(entries)
    state.metrics.expired.inc(total)
    await state.store.tidy()
    return total
