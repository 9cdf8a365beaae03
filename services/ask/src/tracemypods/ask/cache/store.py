"""Answers in Redis, until an absolute time, and never so many that they push out what matters."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import cast

from pydantic import BaseModel, ConfigDict
from redis.exceptions import RedisError

from tracemypods.ask.answers import Done
from tracemypods.ask.completions import Usage
from tracemypods.coalescing.client import CoalescingRedis, Script

_log = logging.getLogger("tracemypods.ask.cache")

MEMORY_CHECK_SECONDS = 5.0
_NUMBERS = re.compile(rb"^(maxmemory|used_memory):(\d+)", re.MULTILINE)
DAY_SECONDS = 24 * 3600

# Counting and storing are one step, so that a token's share holds whatever runs in parallel.
# KEYS: the answer, the token's counter. ARGV: answer, seconds, the most answers, a day in seconds.
_PUT = Script("""
local stored = redis.call('INCR', KEYS[2])
if stored == 1 then redis.call('EXPIRE', KEYS[2], ARGV[4]) end
if stored > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
""")


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
        redis: CoalescingRedis,
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
        self._full = False
        self._checked_at = float("-inf")

    def now(self) -> float:
        """The time, in seconds since 1970."""
        return self._now()

    def oldest(self) -> int:
        """The Unix time in milliseconds since when an answer must have been kept to be given."""
        return int((self._now() - self._seconds) * 1000)

    def read(self, kept: bytes) -> StoredAnswer:
        """An answer as it lies in Redis. Raises ValueError for what `put` has not written."""
        _, _, text = kept.partition(b" ")
        return StoredAnswer.model_validate_json(text)

    async def put(self, key: str, token_id: str, answer: StoredAnswer) -> None:
        """Keep an answer, if it is complete and there is room for it."""
        if answer.finish_reason != "stop" or not answer.text.strip() or await self._is_full():
            return
        # ENTER looks at the time before the text: Redis lets go of what is old, but an answer is
        # never given on Redis' word alone.
        text = f"{int(answer.stored_at * 1000)} {answer.model_dump_json()}"
        try:
            await self._redis.script(
                _PUT,
                [f"ask:answer:{key}", f"ask:answers:{token_id}"],
                [text, self._seconds, self._per_token, DAY_SECONDS],
            )
        except RedisError as error:
            _log.warning("answer can't be kept", extra={"reason": type(error).__name__})

    async def _is_full(self) -> bool:
        """Whether Redis has less room left than must stay for tombstones and counters."""
        if time.monotonic() - self._checked_at < MEMORY_CHECK_SECONDS:
            return self._full
        try:
            said = cast("bytes", await self._redis.execute("INFO", "memory"))
            memory = {name: int(value) for name, value in _NUMBERS.findall(said)}
        except RedisError as error:
            _log.warning("memory can't be read", extra={"reason": type(error).__name__})
            return True
        self._checked_at = time.monotonic()
        limit = memory.get(b"maxmemory", 0)
        self._full = bool(limit) and memory[b"used_memory"] > limit * self._memory_share
        return self._full
