"""What callers may use, and the leases of their open requests.

A request that enters takes a lease: it counts as open and its tokens are reserved. Once it has
ended, however it did, the lease is settled with what was really used. A replica renews the leases
of its open requests; those of one that was killed run out after LEASE_SECONDS, no longer count as
open, and what they had reserved counts as used, since the model may well have worked for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from functools import lru_cache

from redis.exceptions import RedisError

from tracemypods.ask.quotas.blocks import BlockedCaller
from tracemypods.ask.quotas.limits import AllLimits, Limits
from tracemypods.ask.quotas.scripts import RENEW, SETTLE
from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.contracts.rate_limits import rate_limit_headers
from tracemypods.contracts.tokens import Plan
from tracemypods.kit.errors import TooManyRequests

_log = logging.getLogger("tracemypods.ask.quotas")

LEASE_SECONDS = 60
RENEWAL_SECONDS = 15

OWN = ""
"""Stands for the scope of the token itself, which is named by an id that ENTER finds out."""

NETWORKS_KEPT = 4096


class RateLimited(TooManyRequests):
    """Too many requests a minute, or too many at once."""


class QuotaExceeded(TooManyRequests):
    """The tokens of the day are used up, or too few are left for this question."""

    code = "quota_exceeded"


class Lease:
    """What one request has reserved, in the scopes whose names these are."""

    def __init__(self, settle: Callable[[Lease, int], asyncio.Task[None]], tokens: int) -> None:
        self.id = f"{random.getrandbits(128):032x}"
        self.scopes: list[str] = []
        self.tokens = tokens
        self.day = -1
        self._settle = settle
        self._settling: asyncio.Task[None] | None = None

    def settle(self, used: int) -> None:
        """Say how many tokens were really used. Only the first call counts; returns at once.

        Commands leave in order, so whoever asks again after the answer's end finds it settled.
        """
        if self._settling is None:
            self._settling = self._settle(self, used)


class Quotas:
    """Limits, and the leases of this replica. `hashed` names networks so that nobody learns them.

    Run `keep_renewing` beside it.
    """

    def __init__(
        self, redis: CoalescingRedis, limits: AllLimits, hashed: Callable[[str], str]
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._network_scope = lru_cache(NETWORKS_KEPT)(
            lambda network: f"ask:quota:network:{hashed(network)}"
        )
        self._open: dict[str, Lease] = {}
        self._settling: set[asyncio.Task[None]] = set()

    def scopes(self, plan: Plan, network: str) -> list[tuple[str, Limits]]:
        """Where a request counts, with the limits there; OWN stands for the token's own scope.

        What many free tokens of one network ask counts together. A premium token was paid for.
        """
        if plan == "premium":
            return [(OWN, self._limits.premium)]
        return [(OWN, self._limits.free), (self._network_scope(network), self._limits.network)]

    def new_lease(self, tokens: int) -> Lease:
        """A lease for so many tokens. Once it was taken, pass it to `hold`."""
        return Lease(self._settle, tokens)

    def hold(
        self, lease: Lease, token_id: str, scopes: Sequence[tuple[str, Limits]], day: int
    ) -> None:
        """Renew a lease that was taken, until it is settled. `day` is -1 where it is not known."""
        lease.scopes = [name or f"ask:quota:token:{token_id}" for name, _ in scopes]
        lease.day = day
        self._open[lease.id] = lease

    def _settle(self, lease: Lease, used: int) -> asyncio.Task[None]:
        """In a task of its own, since whoever asks for it may just be being cancelled."""
        self._open.pop(lease.id, None)
        settling = asyncio.create_task(self._settle_now(lease, used))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        return settling

    async def _settle_now(self, lease: Lease, used: int) -> None:
        keys = [key for scope in lease.scopes for key in (f"{scope}:day", f"{scope}:open")]
        try:
            await self._redis.script(SETTLE, keys, [lease.id, used - lease.tokens, lease.day])
        except RedisError as error:
            _log.warning("quota can't be settled", extra={"reason": type(error).__name__})

    async def keep_renewing(self) -> None:
        """Renew the leases of open requests, for ever."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            leases = [(scope, one.id) for one in self._open.values() for scope in one.scopes]
            if not leases:
                continue
            keys = [f"{scope}:open" for scope, _ in leases]
            identifiers = [identifier for _, identifier in leases]
            try:
                await self._redis.script(RENEW, keys, [LEASE_SECONDS * 1000, *identifiers])
            except RedisError as error:
                _log.warning("leases can't be renewed", extra={"reason": type(error).__name__})

    async def close(self) -> None:
        """Wait until everything is settled that was begun to be."""
        if self._settling:
            await asyncio.wait(set(self._settling))


def refusal(
    verdict: str, limit: int, remaining: int, reset: int
) -> BlockedCaller | RateLimited | QuotaExceeded:
    """The error for a verdict of ENTER."""
    if verdict == "blocked":
        return BlockedCaller()
    headers = rate_limit_headers(limit, remaining, reset)
    if verdict == "tokens":
        return QuotaExceeded(
            f"This question may take more tokens than the {remaining} that are left of the "
            f"{limit} a day. Ask for a shorter answer, or come back after midnight UTC.",
            retry_after=reset,
            headers=headers,
        )
    if verdict == "requests":
        text = f"These are more than {limit} requests a minute. Try again in {reset} s."
    else:
        text = f"At most {limit} questions may be open at once. Wait until one is answered."
    return RateLimited(text, retry_after=reset, headers=headers)
