"""Free tokens: issue them, in Redis only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from tracemypods.contracts.tokens import TokenKeys, TokenRecord, record_key
from tracemypods.kit.clock import Clock
from tracemypods.kit.ids import new_id
from tracemypods.kit.redis import store_failures

# Counting and storing are one step, so that a limit of N gives out N tokens whatever runs in
# parallel. KEYS: the client's counter, the token's record. ARGV: limit, seconds until the counter
# starts anew, the record, seconds that it lives. Returns how many were issued before this one.
_ISSUE = """
local issued = tonumber(redis.call('GET', KEYS[1]) or '0')
if issued < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], issued + 1, 'EX', ARGV[2])
  redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
end
return issued
"""


@dataclass(frozen=True)
class IssueQuota:
    """What one client may still take today."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(frozen=True)
class IssuedToken:
    """A token that was just made; `token` is the only copy of it."""

    token: str
    record: TokenRecord


class FreeTokens:
    """Free tokens in Redis."""

    def __init__(
        self, redis: Redis, keys: TokenKeys, clock: Clock, *, seconds: int, per_day: int
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._lifetime = timedelta(seconds=seconds)
        self._per_day = per_day
        self._issue = redis.register_script(_ISSUE)

    async def issue(self, client: str) -> tuple[IssuedToken | None, IssueQuota]:
        """Make a token for a client, or none when its quota of the day (UTC) is used up.

        Raises Unavailable `token_store_unavailable`.
        """
        now = self._clock()
        token = self._keys.new_free_token()
        record = TokenRecord(
            id=new_id("tok", int(now.timestamp() * 1000)),
            plan="free",
            issued_at=now,
            expires_at=now + self._lifetime,
        )
        reset = _seconds_to_midnight(now)
        counter = f"token:issued:{now:%Y%m%d}:{self._keys.keyed_hash(client)}"
        with store_failures("token_store_unavailable", "The token store"):
            issued = int(
                await self._issue(
                    keys=[counter, record_key(self._keys.keyed_hash(token))],
                    args=[
                        self._per_day,
                        reset,
                        record.model_dump_json(exclude_none=True),
                        int(self._lifetime.total_seconds()),
                    ],
                )
            )
        granted = issued < self._per_day
        quota = IssueQuota(
            limit=self._per_day,
            remaining=max(0, self._per_day - issued - granted),
            reset_seconds=reset,
        )
        return (IssuedToken(token, record) if granted else None), quota


def _seconds_to_midnight(now: datetime) -> int:
    """Whole seconds until the next day in UTC begins, at least 1."""
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, int((tomorrow - now).total_seconds()))
