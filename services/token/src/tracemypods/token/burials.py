"""Tombstones that could not be written when a token was revoked, because Redis was away."""

from __future__ import annotations

import asyncio
import logging

from tracemypods.kit.errors import Unavailable
from tracemypods.token.lookup import Lookup
from tracemypods.token.premium import PremiumTokens

_log = logging.getLogger("tracemypods.token.burials")

SECONDS_BETWEEN = 0.5


async def bury(premium: PremiumTokens, lookup: Lookup, hashes: list[str]) -> None:
    """Write tombstones and note that they are there; whatever fails is tried again later.

    The revocation itself is in MongoDB already, so a caller need not hear of a Redis that is away.
    """
    try:
        await lookup.bury(hashes)
        for one in hashes:
            await premium.buried(one)
    except Unavailable as error:
        _log.warning("tombstone must wait", extra={"reason": error.code})


async def keep_burying(premium: PremiumTokens, lookup: Lookup) -> None:
    """Write the tombstones that wait, for ever; a server that is away is tried again."""
    while True:
        try:
            waiting = await premium.waiting_for_burial()
            if waiting:
                await bury(premium, lookup, waiting)
        except Unavailable as error:
            _log.warning("tombstones can't be looked for", extra={"reason": error.code})
        await asyncio.sleep(SECONDS_BETWEEN)
