"""Lets a question in: its token, its quota and the answer that may be kept, in one round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracemypods.ask.cache.answer_cache import AnswerCache, LookUp, Wanted
from tracemypods.ask.callers import Callers, Credential
from tracemypods.ask.quotas.limits import Limits
from tracemypods.ask.quotas.quotas import (
    LEASE_SECONDS,
    Lease,
    Quotas,
    refusal,
)
from tracemypods.ask.quotas.scripts import ENTER
from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.contracts.rate_limits import rate_limit_headers
from tracemypods.contracts.tokens import TokenRecord, lookup_keys, revoked, valid_record
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Problem
from tracemypods.kit.redis import store_failures

_log = logging.getLogger("tracemypods.ask.entrance")

Scopes = Sequence[tuple[str, Limits]]


@dataclass(frozen=True)
class Entry:
    """A question that was let in. A kept answer takes no lease. `headers` are for the response."""

    caller: TokenRecord
    found: LookUp
    lease: Lease | None
    headers: Mapping[str, str]


class Entrance:
    """Asks Redis, and for a premium token that Redis has no record of, the token service first."""

    def __init__(
        self,
        redis: CoalescingRedis,
        callers: Callers,
        quotas: Quotas,
        cache: AnswerCache,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._callers = callers
        self._quotas = quotas
        self._cache = cache
        self._clock = clock
        self._giving_back: set[asyncio.Task[None]] = set()

    async def enter(
        self, credential: Credential, network: str, tokens: int, wanted: Wanted
    ) -> Entry:
        """Check the token, count the request, and find its answer or reserve `tokens` for it.

        Raises TokenError, BlockedCaller, RateLimited, QuotaExceeded, or Unavailable
        `token_store_unavailable`.
        """
        scopes = self._quotas.scopes(credential.plan, network)
        lease = self._quotas.new_lease(tokens)
        record = None
        said = await self._ask(credential, network, scopes, lease, wanted, "")
        if said[0] == b"token":
            record = await self._callers.decide(credential, said[1])
            said = await self._ask(credential, network, scopes, lease, wanted, record.id)
            if said[0] == b"token":
                raise revoked()  # a tombstone came between the two
        verdict, limit, remaining, reset, day, *found = said
        if verdict not in (b"ok", b"kept"):
            raise refusal(verdict.decode(), limit, remaining, reset)
        place, text, answer = found
        if record is None:
            record = TokenRecord.model_validate_json(text)
            record.hash = credential.hashes[int(place) - 1]
        try:
            looked_up = self._cache.found(wanted, record, answer)
        except ValueError as error:
            _log.warning("answer can't be read", extra={"reason": type(error).__name__})
            return await self.enter(credential, network, tokens, replace(wanted, fresh=True))
        if looked_up.answer is None:
            self._quotas.hold(lease, record.id, scopes, day)
        try:
            valid_record(record, self._clock())
        except Problem:
            lease.settle(0)
            raise
        return Entry(
            record,
            looked_up,
            lease if looked_up.answer is None else None,
            rate_limit_headers(limit, remaining, reset),
        )

    async def close(self) -> None:
        """Wait until everything is given back that was begun to be."""
        if self._giving_back:
            await asyncio.wait(set(self._giving_back))

    async def _ask(
        self,
        credential: Credential,
        network: str,
        scopes: Scopes,
        lease: Lease,
        wanted: Wanted,
        token_id: str,
    ) -> Any:
        arguments: list[str | int] = [
            token_id,
            lease.id,
            lease.tokens,
            LEASE_SECONDS * 1000,
            network,
            *self._cache.look_for(wanted, credential.plan),
            len(credential.hashes),
            *lookup_keys(credential.hashes),
        ]
        for name, limits in scopes:
            arguments += (
                name,
                limits.requests_per_minute,
                limits.tokens_per_day,
                limits.concurrent,
            )
        try:
            with store_failures("token_store_unavailable", "The token store"):
                return await self._redis.script(ENTER, (), arguments)
        except BaseException:
            # Redis may have counted it all the same: its caller left, or its answer was lost.
            self._give_back(credential, scopes, lease)
            raise

    def _give_back(self, credential: Credential, scopes: Scopes, lease: Lease) -> None:
        """Settle a lease that may have been taken, once Redis says whose it is."""

        async def work() -> None:
            try:
                record = await self._callers.recognise(credential)
            except Problem as problem:
                _log.warning("lease can't be given back", extra={"reason": problem.code})
                return
            self._quotas.hold(lease, record.id, scopes, -1)
            lease.settle(0)

        task = asyncio.create_task(work())
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)
