"""The exact cache: one call for all who ask the same at once, here and on other replicas."""

from __future__ import annotations

import asyncio

import pytest
from answer_caches import DONE, Model, Replica, eager, question, run, token
from redis.asyncio import Redis

from tracemypods.ask.answers import Delta
from tracemypods.ask.cache.flights import AUDIENCE_SECONDS
from tracemypods.kit.errors import Problem
from tracemypods.local.testing.valkey import Valkey


def test_a_hundred_at_once_make_one_call(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replicas, model = [Replica(redis), Replica(redis)], Model()
        asking = [
            asyncio.create_task(replicas[number % 2].ask(question(), token(), model))
            for number in range(100)
        ]
        await model.was_asked.wait()
        model.go_on.set()
        answers = await asyncio.gather(*asking)
        assert {text for _, text in answers} == {"Hello"}
        assert [state for state, _ in answers].count("miss") == 1
        assert model.asked == 1
        assert (await replicas[1].ask(question(), token(), model))[0] == "exact"

    run(valkey, work)


def test_followers_on_other_replicas_see_it_grow(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        leader, follower, model = Replica(redis), Replica(redis), Model()
        _, led = await leader.begin(question(), token(), model)
        assert await anext(led) == Delta("Hel")
        found, followed = await follower.begin(question(), token(), model)
        assert found.state == "exact"
        assert await anext(followed) == Delta("Hel")  # while the rest does not exist yet
        model.go_on.set()
        assert [event async for event in followed] == [Delta("lo"), DONE]
        assert [event async for event in led] == [Delta("lo"), DONE]

    run(valkey, work)


def test_generation_goes_on_for_followers_and_stops_with_the_last(
    valkey: Valkey,
) -> None:
    async def work(redis: Redis) -> None:
        here, there, model = Replica(redis), Replica(redis), Model()
        followers = [
            (await replica.begin(question(), token(), model))[1] for replica in (here, here, there)
        ]
        for events in followers:
            assert await anext(events) == Delta("Hel")
        await followers[0].aclose()
        await followers[1].aclose()  # nobody follows here any more, but somebody does there
        # Longer than it takes to look for an audience: somebody follows there.
        _, pending = await asyncio.wait(
            {asyncio.create_task(model.was_left.wait())}, timeout=2 * AUDIENCE_SECONDS
        )
        assert pending
        await followers[2].aclose()
        await asyncio.wait(pending)
        assert model.asked == 1

    run(valkey, work)


def test_a_failure_reaches_every_follower(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        here, there, model = Replica(redis), Replica(redis), Model()
        model.failure = Problem("It failed.", status=502, code="model_failed")
        asking = [
            asyncio.create_task(replica.ask(question(), token(), model))
            for replica in (here, here, there)
        ]
        await model.was_asked.wait()
        model.go_on.set()
        failures = await asyncio.gather(*asking, return_exceptions=True)
        assert [getattr(failure, "code", None) for failure in failures] == ["model_failed"] * 3

    run(valkey, work)


@pytest.mark.parametrize("where", ["here", "there"])
def test_who_asks_while_a_deserted_answer_ends_gets_an_answer(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async def work(redis: Redis) -> None:
        here, model, other = Replica(redis), Model(), eager()
        asking = here if where == "here" else Replica(redis)
        _, events = await here.begin(question(), token(), model)
        assert await anext(events) == Delta("Hel")
        given_up, go_on = asyncio.Event(), asyncio.Event()
        deserted, write = here.relay.deserted, here.relay._write

        async def noted(key: str, name: str) -> bool:
            gone = await deserted(key, name)
            given_up.set()
            return gone

        async def slow(key: str, name: str, waiting: list[str], hold: int) -> None:
            if given_up.is_set():
                await go_on.wait()
            await write(key, name, waiting, hold)

        monkeypatch.setattr(here.relay, "deserted", noted)
        monkeypatch.setattr(here.relay, "_write", slow)
        await events.aclose()
        await model.was_left.wait()
        if where == "here":
            monkeypatch.setattr(here.relay, "_write", write)
        assert await asking.ask(question(), token(), other) == ("miss", "Hello")
        assert other.asked == 1
        go_on.set()

    run(valkey, work)
