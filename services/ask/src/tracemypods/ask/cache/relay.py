"""Flights across replicas, through Redis: one replica leads, the others follow what it writes.

    ask:lead:<key>                who leads, until it stops renewing
    ask:flight:<key>:<leader>     a stream with the answer's events, numbered from 0
    ask:audience:<key>:<leader>   is there while another replica follows

The leader writes a few times a second whatever has come since, so an answer that nobody else
follows costs little. A leader that dies leaves its name to expire; followers that were given
nothing yet begin again, others get a named error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tracemypods.ask.answers import Delta, Done, Event
from tracemypods.ask.completions import Interrupted, Usage
from tracemypods.coalescing.client import CoalescingRedis
from tracemypods.kit.errors import Problem
from tracemypods.kit.tasks import end

_log = logging.getLogger("tracemypods.ask.relay")

LEAD_MILLISECONDS = 3000
WRITE_SECONDS = 0.3
BLOCK_MILLISECONDS = 400
KEPT_SECONDS = 60

# Only the holder may renew or give up its lead. KEYS: the lead. ARGV: leader, milliseconds (0 to
# give it up).
_HOLD = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


# A lead that nobody follows is given up in the same step, so that nobody begins to follow it then.
# KEYS: the lead, its audience. ARGV: leader.
_DESERT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class LeaderGone(Exception):
    """The replica that led has stopped before the end of the answer."""


class Relay:
    """Leads and follows. `hot` is for what an answer waits for; `redis` may block."""

    def __init__(self, redis: Redis, hot: CoalescingRedis) -> None:
        self._redis = redis
        self._hot = hot
        self._hold = redis.register_script(_HOLD)
        self._desert = redis.register_script(_DESERT)

    async def lead_or_leader(self, key: str, name: str) -> str | None:
        """Take the lead under `name`; returns who leads now. None when Redis does not say."""
        try:
            leader = await self._hot.execute(
                "SET", _lead(key), name, "NX", "GET", "PX", LEAD_MILLISECONDS
            )
            return name if leader is None else leader.decode()
        except RedisError as error:
            _log.warning("nobody can lead", extra={"reason": type(error).__name__})
            return None

    async def give_up(self, key: str, name: str) -> None:
        """Give up a lead that nothing was made of."""
        await self._write(key, name, [_numbered(0, {"gone": True})], hold=0)

    async def deserted(self, key: str, name: str) -> bool:
        """Whether no other replica follows; none begins to after that, as the lead is given up."""
        try:
            return bool(await self._desert(keys=[_lead(key), _audience(key, name)], args=[name]))
        except RedisError:
            return True

    async def lead(
        self, key: str, name: str, source: AsyncGenerator[Event]
    ) -> AsyncGenerator[Event]:
        """Pass an answer on, and write it down for others. The lead ends with it."""
        waiting: list[str] = []
        number = 0
        writing = asyncio.create_task(self._keep_writing(key, name, waiting))
        try:
            async with aclosing(source) as events:
                async for event in events:
                    waiting.append(_numbered(number, _plain(event)))
                    number += 1
                    yield event
        except Problem as problem:
            said = [problem.status, problem.code, problem.detail]
            waiting.append(_numbered(number, {"error": said}))
            raise
        except (asyncio.CancelledError, GeneratorExit):
            waiting.append(_numbered(number, {"gone": True}))
            raise
        finally:
            await end(writing)
            await self._write(key, name, waiting, hold=0)

    async def follow(self, key: str, leader: str) -> AsyncGenerator[Event]:
        """The answer that another replica makes, as it comes.

        Raises LeaderGone, or the Problem that it ends with.
        """
        stream, last, number = _stream(key, leader), "0", 0
        try:
            while True:
                await self._redis.set(_audience(key, leader), 1, px=LEAD_MILLISECONDS)
                if not number and await self._redis.get(_lead(key)) != leader:
                    await self._check_complete(stream)
                found = await self._read(stream, last, BLOCK_MILLISECONDS)
                if not found and await self._redis.get(_lead(key)) != leader:
                    found = await self._read(stream, last, None)
                    if not found:
                        raise LeaderGone
                for last, text in found:  # noqa: B007 - the last one read is where to go on
                    written = json.loads(text)
                    if written["n"] < number:
                        continue  # written twice, because it was not sure that it had been once
                    if written["n"] > number:
                        raise LeaderGone
                    event = _load(written)
                    number += 1
                    yield event
                    if isinstance(event, Done):
                        return
        except RedisError as error:
            _log.warning("can't follow", extra={"reason": type(error).__name__})
            raise LeaderGone from error

    async def _check_complete(self, stream: str) -> None:
        """Raise LeaderGone unless an answer whose leader has stopped is there to its end."""
        written = await self._read(stream, "0", None)
        if not written or not isinstance(_load(json.loads(written[-1][1])), Done):
            raise LeaderGone

    async def _read(self, stream: str, last: str, block: int | None) -> list[tuple[str, str]]:
        answer = cast("Any", await self._redis.xread({stream: last}, count=1000, block=block))
        if not answer:
            return []
        streams = answer.items() if isinstance(answer, dict) else answer
        entries = [entry for _, found in streams for entry in found]
        # With RESP3 the entries of a stream come in a list of their own.
        if entries and isinstance(entries[0], list):
            entries = [entry for group in entries for entry in group]
        return [(identifier, fields["e"]) for identifier, fields in entries]

    async def _keep_writing(self, key: str, name: str, waiting: list[str]) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self._write(key, name, waiting, hold=LEAD_MILLISECONDS)

    async def _write(self, key: str, name: str, waiting: list[str], hold: int) -> None:
        texts = list(waiting)
        # What fails stays to be written again; followers drop what they have already.
        with suppress(RedisError):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for text in texts:
                    pipeline.xadd(_stream(key, name), {"e": text})
                pipeline.expire(_stream(key, name), KEPT_SECONDS)
                await pipeline.execute()
            del waiting[: len(texts)]
            await self._hold(keys=[_lead(key)], args=[name, hold])


def _numbered(number: int, event: dict[str, Any]) -> str:
    return json.dumps({"n": number, **event})


def _plain(event: Event) -> dict[str, Any]:
    if isinstance(event, Delta):
        return {"text": event.text}
    usage = event.usage
    return {"done": [event.finish_reason, usage.prompt_tokens, usage.completion_tokens]}


def _load(event: dict[str, Any]) -> Event:
    if "text" in event:
        return Delta(event["text"])
    if "done" in event:
        reason, prompt_tokens, completion_tokens = event["done"]
        return Done(reason, Usage(prompt_tokens, completion_tokens))
    if "error" in event:
        status, code, detail = event["error"]
        raise Problem(detail, status=status, code=code)
    raise LeaderGone


def interrupted() -> Interrupted:
    """What followers hear who had part of an answer when its leader went away."""
    return Interrupted("The replica that answered went away. Ask again.")


def _lead(key: str) -> str:
    return f"ask:lead:{key}"


def _stream(key: str, leader: str) -> str:
    return f"ask:flight:{key}:{leader}"


def _audience(key: str, leader: str) -> str:
    return f"ask:audience:{key}:{leader}"
