"""Answers in Redis, until an absolute time, and never so many that they push out what matters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tracemypods.ask.answers import Done
from tracemypods.ask.completions import Usage

_log = logging.getLogger("tracemypods.ask.cache")

MEMORY_CHECK_SECONDS = 5.0
DAY_SECONDS = 24 * 3600

# Counting and storing are one step, so that a token's share holds whatever runs in parallel.
# KEYS: the answer, the token's counter. ARGV: answer, seconds, the most answers, a day in seconds.
_PUT = """
local stored = redis.call('INCR', KEYS[2])
if stored == 1 then redis.call('EXPIRE', KEYS[2], ARGV[4]) end
if stored > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class StoredAnswer(BaseModel):
    """A complete answer. `stored_at` is in seconds since 1970."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    dropped_messages: int
    stored_at: float

    def age(self, now: float) -> int:
        """Whole seconds since it was stored."""
        return max(0, int(now - self.stored_at))

    def done(self) -> Done:
        """The end of the answer, as when it was made."""
        return Done(self.finish_reason, Usage(self.prompt_tokens, self.completion_tokens))


class AnswerStore:
    """Answers under their keys. A Redis that fails is a cache that is empty, never an error.

    `seconds` is how long an answer is kept, `per_token` how many one token may add a day,
    `memory_share` the part of Redis' memory above which none is added.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        seconds: int,
        per_token: int,
        memory_share: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._seconds = seconds
        self._per_token = per_token
        self._memory_share = memory_share
        self._now = now
        self._put = redis.register_script(_PUT)
        self._full = False
        self._checked_at = float("-inf")

    def now(self) -> float:
        """The time, in seconds since 1970."""
        return self._now()

    async def get(self, key: str) -> StoredAnswer | None:
        """The answer under a key, if there is one that is not too old."""
        try:
            stored = await self._redis.get(_name(key))
            answer = StoredAnswer.model_validate_json(stored) if stored else None
        except (RedisError, ValueError) as error:
            _log.warning("answer can't be read", extra={"reason": type(error).__name__})
            return None
        # Redis lets go of it too, but an entry is never served on Redis' word alone.
        too_old = answer is not None and self._now() >= answer.stored_at + self._seconds
        return None if too_old else answer

    async def put(self, key: str, token_id: str, answer: StoredAnswer) -> None:
        """Keep an answer, if it is complete and there is room for it."""
        if answer.finish_reason != "stop" or not answer.text.strip() or await self._is_full():
            return
        try:
            await self._put(
                keys=[_name(key), f"ask:answers:{token_id}"],
                args=[answer.model_dump_json(), self._seconds, self._per_token, DAY_SECONDS],
            )
        except RedisError as error:
            _log.warning("answer can't be kept", extra={"reason": type(error).__name__})

    async def _is_full(self) -> bool:
        """Whether Redis has less room left than must stay for tombstones and counters."""
        if time.monotonic() - self._checked_at < MEMORY_CHECK_SECONDS:
            return self._full
        try:
            memory = cast("dict[str, int]", await self._redis.info("memory"))
        except RedisError as error:
            _log.warning("memory can't be read", extra={"reason": type(error).__name__})
            return True
        self._checked_at = time.monotonic()
        limit = memory.get("maxmemory", 0)
        self._full = bool(limit) and memory["used_memory"] > limit * self._memory_share
        return self._full


def _name(key: str) -> str:
    return f"ask:answer:{key}"
