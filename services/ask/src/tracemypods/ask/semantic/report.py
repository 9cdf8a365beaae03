"""The shadow report: what would have been given, beside what the model answered instead.

An operator reads it before switching the cache on. It holds callers' questions, so what has
personal data or secrets in it never comes here, it is kept in Redis only, and for a week.
"""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict, ValidationError

from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.kit.redis import store_failures

_log = logging.getLogger("tracemypods.ask.semantic")

KEY = "ask:semantic:report"
MOST = 500
SECONDS = 7 * 24 * 3600
LONGEST_ANSWER = 2000


class Shadowed(BaseModel):
    """One question of a model in shadow mode. `at` is Unix time, `similarity` the cosine."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: float
    model: str
    asked: str
    question: str
    similarity: float
    would_have_said: str
    said: str


class Report:
    """The latest of them. Every call raises Unavailable when Redis does not answer."""

    def __init__(self, redis: CoalescingRedis) -> None:
        self._redis = redis

    async def add(self, line: Shadowed) -> None:
        """Note one, in place of the oldest if there are very many."""
        cut = {
            "would_have_said": line.would_have_said[:LONGEST_ANSWER],
            "said": line.said[:LONGEST_ANSWER],
        }
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.execute("LPUSH", KEY, line.model_copy(update=cut).model_dump_json())
            await self._redis.execute("LTRIM", KEY, 0, MOST - 1)
            await self._redis.execute("EXPIRE", KEY, SECONDS)

    async def latest(self, most: int) -> list[Shadowed]:
        """The latest ones, the newest first."""
        with store_failures("token_store_unavailable", "The token store"):
            found = await self._redis.execute("LRANGE", KEY, 0, most - 1)
        lines = list[Shadowed]()
        for text in found:
            try:
                lines.append(Shadowed.model_validate_json(text))
            except ValidationError:
                _log.warning("a line of the report is unreadable")
        return lines
