"""Challenges: a code is sent to an address, and whoever reads it there can say it.

Each challenge has a code of its own, so strangers neither spend nor void another's. Everything
about one happens in single steps in Redis: an attempt is counted before it is compared, and the
code that is right is used up by the very step that finds it right.

    order:challenge:<id>   hash: address, purpose, order_id, mac, code_until, sent_at, attempts
    order:mails:…          counters of mails: of an address a day, a client a day, all a minute
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import SecretStr
from redis.asyncio import Redis

from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import Problem, TooManyRequests
from tracemypods.kit.redis import store_failures
from tracemypods.order.codes import addresses

Purpose = Literal["buy", "token"]

CODE_SECONDS = 300
CHALLENGE_SECONDS = 1800
"""How long codes can be sent again within one challenge."""
RESEND_SECONDS = 60
ATTEMPTS = 5
DIGITS = 6
DAY_SECONDS = 24 * 3600
MAILS_PER_ADDRESS = 10

# One step: a challenge is made or renewed, unless that is too soon or too much.
# KEYS: the challenge, then counters. ARGV: now, address, purpose, order id, mac, seconds a code
# lasts, seconds a challenge lasts, seconds until another mail, "new" or "again", attempts, then
# limit and seconds of each counter.
# Answers {"ok"}, {"over"}, {"wait", seconds} or {"limit", number of the counter, seconds}.
_SEND = """
local now = tonumber(ARGV[1])
if ARGV[9] == 'again' then
  local known = redis.call('HMGET', KEYS[1],
    'address', 'purpose', 'order_id', 'sent_at', 'attempts')
  if not known[1] or tonumber(known[5] or '0') >= tonumber(ARGV[10]) then return {'over'} end
  if known[1] ~= ARGV[2] or known[2] ~= ARGV[3] or known[3] ~= ARGV[4] then return {'over'} end
  local wait = tonumber(known[4]) + tonumber(ARGV[8]) - now
  if wait > 0 then return {'wait', wait} end
end
for number = 2, #KEYS do
  local limit = tonumber(ARGV[7 + 2 * number])
  if tonumber(redis.call('GET', KEYS[number]) or '0') >= limit then
    return {'limit', number - 1, redis.call('TTL', KEYS[number])}
  end
end
for number = 2, #KEYS do
  if redis.call('INCR', KEYS[number]) == 1 then
    redis.call('EXPIRE', KEYS[number], ARGV[8 + 2 * number])
  end
end
redis.call('HSET', KEYS[1], 'address', ARGV[2], 'purpose', ARGV[3], 'order_id', ARGV[4],
  'mac', ARGV[5], 'code_until', now + tonumber(ARGV[6]), 'sent_at', now)
if ARGV[9] == 'new' then redis.call('EXPIRE', KEYS[1], ARGV[7]) end
return {'ok'}
"""

# KEYS: the challenge. ARGV: now, mac of what was said, attempts.
# Answers {"over"}, {"wrong", attempts left} or {"right", address, purpose, order id}.
_VERIFY = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {'over'} end
local attempts = redis.call('HINCRBY', KEYS[1], 'attempts', 1)
if attempts > tonumber(ARGV[3]) then return {'over'} end
local known = redis.call('HMGET', KEYS[1], 'mac', 'code_until', 'address', 'purpose', 'order_id')
if tonumber(known[2]) <= tonumber(ARGV[1]) then return {'over'} end
if known[1] ~= ARGV[2] then return {'wrong', tonumber(ARGV[3]) - attempts} end
redis.call('DEL', KEYS[1])
return {'right', known[3], known[4], known[5]}
"""


class CodeWrong(Problem):
    """The code is another one."""

    status, code = 422, "code_wrong"


class ChallengeOver(Problem):
    """The challenge was met, has run out, or took too many attempts."""

    status, code = 410, "challenge_over"


@dataclass(frozen=True)
class Asked:
    """Who is to prove what: an address, for a purpose, for an order if it is about one."""

    address: str
    purpose: Purpose
    order_id: str = ""


@dataclass(frozen=True)
class Sending:
    """A code that is to be sent now. It is nowhere else."""

    challenge_id: str
    code: str


@dataclass(frozen=True)
class MailLimits:
    """How many mails may be sent: to an address a day, for a client a day, to all a minute."""

    address: int = MAILS_PER_ADDRESS
    client: int = 20
    all: int = 300


class Challenges:
    """Makes challenges and takes answers.

    Every call raises Unavailable `code_store_unavailable` when Redis is away.
    """

    def __init__(self, redis: Redis, pepper: SecretStr, limits: MailLimits, clock: Clock) -> None:
        self._redis = redis
        self._pepper = pepper.get_secret_value().encode()
        self._limits = limits
        self._clock = clock
        self._send = redis.register_script(_SEND)
        self._verify = redis.register_script(_VERIFY)

    async def send(self, asked: Asked, client: str, challenge_id: str | None = None) -> Sending:
        """A new code, of a new challenge or in place of the last code of one.

        Raises TooManyRequests `resend_too_soon` or `mail_limit`, ChallengeOver.
        """
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        again = challenge_id is not None
        identifier = challenge_id or secrets.token_urlsafe(16)
        address = hashlib.sha256(addresses.key(asked.address).encode()).hexdigest()
        counters: list[tuple[str, int, int]] = [
            (f"order:mails:address:{address}", self._limits.address, DAY_SECONDS),
            (f"order:mails:client:{client}", self._limits.client, DAY_SECONDS),
            ("order:mails:all", self._limits.all, 60),
        ]
        arguments: list[str | int] = [
            *(self._now(), asked.address, asked.purpose, asked.order_id),
            *(self._mac(identifier, code), CODE_SECONDS, CHALLENGE_SECONDS, RESEND_SECONDS),
            *("again" if again else "new", ATTEMPTS),
        ]
        for _, limit, seconds in counters:
            arguments += [limit, seconds]
        with store_failures("code_store_unavailable", "The store of codes"):
            said = cast(
                "list[str | int]",
                await self._send(
                    keys=[_key(identifier), *(name for name, _, _ in counters)], args=arguments
                ),
            )
        match said[0]:
            case "ok":
                return Sending(identifier, code)
            case "over":
                raise _over()
            case "wait":
                raise _too_soon(int(said[1]))
            case _:
                raise _limit(int(said[1]), max(1, int(said[2])))

    async def verify(self, challenge_id: str, code: str) -> Asked:
        """What whoever says this code has proved. It can be said once.

        Raises CodeWrong with how many attempts are left, or ChallengeOver.
        """
        with store_failures("code_store_unavailable", "The store of codes"):
            said = cast(
                "list[str | int]",
                await self._verify(
                    keys=[_key(challenge_id)],
                    args=[self._now(), self._mac(challenge_id, code), ATTEMPTS],
                ),
            )
        match said[0]:
            case "right":
                return Asked(str(said[1]), cast("Purpose", said[2]), str(said[3]))
            case "wrong" if int(said[1]) > 0:
                raise CodeWrong(
                    f"This is not the code that was sent last. Attempts left: {said[1]}."
                )
            case _:
                raise _over()

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def _mac(self, challenge_id: str, code: str) -> str:
        message = f"{challenge_id}\0{code}".encode()
        return hmac.new(self._pepper, message, hashlib.sha256).hexdigest()


def _key(challenge_id: str) -> str:
    return f"order:challenge:{challenge_id}"


def _over() -> ChallengeOver:
    return ChallengeOver(
        "This code can't be used (any more): it was used, has run out, or was tried too often. "
        "Have a new one sent."
    )


def _too_soon(seconds: int) -> TooManyRequests:
    problem = TooManyRequests(
        f"A code was sent just now. Another one can be sent in {seconds} s.", retry_after=seconds
    )
    problem.code = "resend_too_soon"
    return problem


def _limit(counter: int, seconds: int) -> TooManyRequests:
    whose = ("to this address", "from your network", "by this site")[counter - 1]
    problem = TooManyRequests(
        f"Too many codes were sent {whose}. A code that you have already still works; "
        "another one can be sent later.",
        retry_after=seconds,
    )
    problem.code = "mail_limit"
    return problem
