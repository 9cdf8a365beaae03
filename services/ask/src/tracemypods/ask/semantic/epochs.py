"""Epochs of the semantic cache: an operator who trusts no entry any more begins a new one."""

from __future__ import annotations

import time

from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.kit.redis import store_failures

KEY = "ask:semantic:epoch"
KNOWN_FOR_SECONDS = 1.0


class Epochs:
    """The current epoch, in Redis, so that all replicas agree within a second.

    Its name is the millisecond when it began. Where Redis has none (at first, and when it was lost)
    one begins, so that no old one comes again.
    """

    def __init__(self, redis: CoalescingRedis) -> None:
        self._redis = redis
        self._known = ""
        self._valid_until = float("-inf")

    async def current(self) -> str:
        """The name of the current epoch.

        Raises Unavailable `token_store_unavailable`: without Redis nobody is let in anyway.
        """
        now = time.monotonic()
        if now >= self._valid_until:
            name = _new_name()
            with store_failures("token_store_unavailable", "The token store"):
                found = await self._redis.execute("SET", KEY, name, "NX", "GET")
            self._known = name if found is None else found.decode()
            self._valid_until = now + KNOWN_FOR_SECONDS
        return self._known

    async def begin(self) -> str | None:
        """Begin a new epoch; returns the name of the last, if there was one.

        Raises Unavailable `token_store_unavailable`.
        """
        with store_failures("token_store_unavailable", "The token store"):
            last = await self._redis.execute("SET", KEY, _new_name(), "GET")
        self._valid_until = float("-inf")
        return None if last is None else last.decode()


def _new_name() -> str:
    return str(time.time_ns() // 1_000_000)
