"""The exact cache: leaders of shared answers that die, and writes that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from answer_caches import DONE, Model, Replica, eager, question, run, token
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

from tracemypods.ask.answers import Delta, Event
from tracemypods.ask.completions import Interrupted
from tracemypods.local.testing.valkey import Valkey


def test_a_leader_that_dies_is_followed_by_another(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        dying, living, model = Replica(redis), Replica(redis), Model()
        dying.relay.dead = True  # it took the lead, and dies before it writes anything
        _, led = await dying.begin(question(), token(), model)
        assert await anext(led) == Delta("Hel")
        other = eager()
        assert await living.ask(question(), token(), other) == ("exact", "Hello")
        assert other.asked == 1
        model.go_on.set()
        await led.aclose()

    run(valkey, work)


def test_who_had_a_part_hears_that_the_leader_died(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        dying, living, model = Replica(redis), Replica(redis), Model()
        _, led = await dying.begin(question(), token(), model)
        assert await anext(led) == Delta("Hel")
        _, followed = await living.begin(question(), token(), model)
        assert await anext(followed) == Delta("Hel")
        dying.relay.dead = True
        with pytest.raises(Interrupted):
            await anext(followed)
        model.go_on.set()
        await led.aclose()

    run(valkey, work)


class Steps(Model):
    """A model that says one word at a time, each when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.said: asyncio.Queue[Event] = asyncio.Queue()

    async def answer(self) -> AsyncGenerator[Event]:
        self.asked += 1
        while True:
            event = await self.said.get()
            yield event
            if event == DONE:
                return


@pytest.mark.parametrize("executed", [False, True])
def test_followers_miss_nothing_when_a_write_fails(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, executed: bool
) -> None:
    """Whether Redis had executed the write that failed is not known; it is done again."""
    failed = asyncio.Event()
    execute = Pipeline.execute

    async def fail_once(self: Any, *arguments: Any, **named: Any) -> Any:
        writes = any(command[0][0] == "XADD" for command in self.command_stack)
        if failed.is_set() or not writes:
            return await execute(self, *arguments, **named)
        if executed:
            await execute(self, *arguments, **named)
        failed.set()
        raise RedisConnectionError("The connection broke.")

    async def work(redis: Redis) -> None:
        here, there, model = Replica(redis), Replica(redis), Steps()
        model.said.put_nowait(Delta("A"))
        _, led = await here.begin(question(), token(), model)
        assert await anext(led) == Delta("A")
        _, followed = await there.begin(question(), token(), model)
        assert await anext(followed) == Delta("A")
        monkeypatch.setattr(Pipeline, "execute", fail_once)
        model.said.put_nowait(Delta("B"))
        await failed.wait()
        for event in (Delta("C"), DONE):
            model.said.put_nowait(event)
        rest = [Delta("B"), Delta("C"), DONE]
        assert [event async for event in followed] == rest
        assert [event async for event in led] == rest
        assert model.asked == 1

    run(valkey, work)
