"""Lets requests in while their caller's quota lasts, and settles what each has used.

A request takes a lease: it counts as open and its tokens are reserved. Once it has ended, however
it did, the lease is settled with what was really used. A replica renews the leases of its open
requests; those of one that was killed run out after LEASE_SECONDS, no longer count as open, and
what they had reserved counts as used, since the model may well have worked for it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tracemypods.ask.quotas.blocks import Blocked, block_key
from tracemypods.ask.quotas.limits import AllLimits
from tracemypods.ask.quotas.scripts import ENTER, RENEW, SETTLE
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.errors import TooManyRequests
from tracemypods.kit.redis import store_failures

_log = logging.getLogger("tracemypods.ask.quotas")

LEASE_SECONDS = 60
RENEWAL_SECONDS = 15

SETTLE_WAIT_SECONDS = 0.25
"""How long an answer's end waits for its lease to be settled; Redis may take longer by itself."""


class RateLimited(TooManyRequests):
    """Too many requests a minute, or too many at once."""


class QuotaExceeded(TooManyRequests):
    """The tokens of the day are used up, or too few are left for this question."""

    code = "quota_exceeded"


class Lease:
    """What one request has reserved. `headers` are the RateLimit fields of its response."""

    def __init__(
        self,
        settle: Callable[[Lease, int], asyncio.Task[None]],
        scopes: list[str],
        tokens: int,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.scopes = scopes
        self.tokens = tokens
        self.day = -1
        self.headers: Mapping[str, str] = {}
        self._settle = settle
        self._settling: asyncio.Task[None] | None = None

    def settle(self, used: int) -> None:
        """Say how many tokens were really used. Only the first call counts; returns at once."""
        if self._settling is None:
            self._settling = self._settle(self, used)

    async def settled(self, used: int) -> None:
        """Settle, and wait a moment for it, so that the caller's next request finds it done."""
        self.settle(used)
        if self._settling is not None:
            await asyncio.wait({self._settling}, timeout=SETTLE_WAIT_SECONDS)


class Quotas:
    """The counters in Redis. `hashed` gives names of networks that tell nobody where callers live.

    Run `keep_renewing` beside it.
    """

    def __init__(self, redis: Redis, limits: AllLimits, hashed: Callable[[str], str]) -> None:
        self._redis = redis
        self._limits = limits
        self._hashed = hashed
        self._enter = redis.register_script(ENTER)
        self._settle_script = redis.register_script(SETTLE)
        self._renew = redis.register_script(RENEW)
        self._open: dict[str, Lease] = {}
        self._settling: set[asyncio.Task[None]] = set()

    async def enter(self, caller: TokenRecord, network: str, tokens: int) -> Lease:
        """Count a request and reserve its tokens, in one round trip.

        Raises Blocked, RateLimited, QuotaExceeded, or Unavailable `token_store_unavailable`.
        """
        of_plan = self._limits.free if caller.plan == "free" else self._limits.premium
        scopes = {f"ask:quota:token:{caller.id}": of_plan}
        if caller.plan == "free":
            scopes[f"ask:quota:network:{self._hashed(network)}"] = self._limits.network
        lease = Lease(self._settle, list(scopes), tokens)
        keys = [block_key("token", caller.id), block_key("network", network)]
        arguments = [lease.id, tokens, LEASE_SECONDS * 1000]
        for scope, limits in scopes.items():
            keys += [f"{scope}:minute", f"{scope}:day", f"{scope}:open"]
            arguments += [limits.requests_per_minute, limits.tokens_per_day, limits.concurrent]
        try:
            with store_failures("token_store_unavailable", "The token store"):
                verdict, limit, remaining, reset, day = await self._enter(keys=keys, args=arguments)
        except BaseException:
            # Redis may have counted it all the same: its caller left, or its answer was lost.
            lease.settle(0)
            raise
        if verdict != "ok":
            raise _refusal(verdict, limit, remaining, reset)
        lease.day, lease.headers = day, _headers(limit, remaining, reset)
        self._open[lease.id] = lease
        return lease

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
            await self._settle_script(keys=keys, args=[lease.id, used - lease.tokens, lease.day])
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
            arguments = [LEASE_SECONDS * 1000, *[identifier for _, identifier in leases]]
            try:
                await self._renew(keys=keys, args=arguments)
            except RedisError as error:
                _log.warning("leases can't be renewed", extra={"reason": type(error).__name__})

    async def close(self) -> None:
        """Wait until everything is settled that was begun to be."""
        if self._settling:
            await asyncio.wait(set(self._settling))


def _headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    """The RateLimit fields of the IETF draft, in the form that most clients know (draft 6)."""
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(reset),
    }


def _refusal(
    verdict: str, limit: int, remaining: int, reset: int
) -> Blocked | RateLimited | QuotaExceeded:
    if verdict == "blocked":
        return Blocked()
    headers = _headers(limit, remaining, reset)
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
