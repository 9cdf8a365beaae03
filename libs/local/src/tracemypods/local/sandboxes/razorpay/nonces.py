"""Nonces of open checkouts: one order and one attempt each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Problem

MOST = 10_000
"""How many are kept; beyond that the oldest is forgotten."""


@dataclass(frozen=True)
class _Given:
    order_id: str
    until: datetime


class Nonces:
    """The nonces that are given out and not used."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._lifetime = timedelta(seconds=seconds)
        self._clock = clock
        self._given: dict[str, _Given] = {}

    def give(self, order_id: str) -> str:
        """A nonce for one attempt to pay an order."""
        now = self._clock()
        while self._given:
            oldest = next(iter(self._given))
            if len(self._given) < MOST and self._given[oldest].until > now:
                break
            del self._given[oldest]
        nonce = secrets.token_urlsafe(32)
        self._given[nonce] = _Given(order_id, now + self._lifetime)
        return nonce

    def use(self, nonce: str) -> str:
        """The order of a nonce, which is used up by that.

        Raises Problem `checkout_expired` (403) for one that was used, is too old, or never given.
        """
        given = self._given.pop(nonce, None)
        if given is None or given.until <= self._clock():
            raise Problem(
                "This checkout is no longer open. Close it and begin again.",
                status=403,
                code="checkout_expired",
            )
        return given.order_id
