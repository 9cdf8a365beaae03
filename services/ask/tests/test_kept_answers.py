"""The exact cache: what is kept, for how long, and what never is."""

from __future__ import annotations

import asyncio

import pytest
from answer_caches import DONE, PLAIN, PRIVATE, Replica, eager, question, run, token
from redis.asyncio import Redis

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.cache.answer_cache import Wanted
from tracemypods.ask.cache.keys import CacheControl, CachePolicy
from tracemypods.ask.completions import Interrupted, Usage
from tracemypods.ask.conversation import Message
from tracemypods.kit.errors import Problem
from tracemypods.local.testing.valkey import Valkey


def test_a_repeated_question_is_answered_from_the_cache(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        assert await replica.ask(question(), token(), model) == ("miss", "Hello")
        assert await replica.ask(question(), token(), model) == ("exact", "Hello")
        assert await replica.ask(question("  Hi?\r\n"), token(), model) == ("exact", "Hello")
        assert model.asked == 1
        found, events = await replica.begin(question(), token(), model)
        assert found.headers() == {"X-Cache": "exact", "Age": "0"}
        assert [event async for event in events] == [Delta("Hello"), DONE]

    run(valkey, work)


@pytest.mark.parametrize(
    ("asked", "policy", "control"),
    [
        (question("my card is 4111 1111 1111 1111"), PRIVATE, PLAIN),
        (question("mail someone@example.com"), PRIVATE, PLAIN),
        (
            question(
                messages=[
                    Message("user", "I am at +91 98765 43210"),
                    Message("assistant", "ok"),
                    Message("user", "Hi?"),
                ]
            ),
            PRIVATE,
            PLAIN,
        ),
        (question(temperature=1.5), PRIVATE, PLAIN),
        (question(), CachePolicy(enabled=False, shared=False, max_temperature=1), PLAIN),
        (question(), PRIVATE, CacheControl.parse("no-store")),
    ],
)
def test_what_is_never_kept(
    valkey: Valkey, asked: Question, policy: CachePolicy, control: CacheControl
) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis, policy), eager()
        for _ in range(2):
            assert await replica.ask(asked, token(), model, control) == ("bypass", "Hello")
        assert model.asked == 2
        assert await redis.keys("ask:answer*") == await redis.keys("ask:flight*") == []

    run(valkey, work)


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([Delta("Hel"), Delta("lo"), Done("length", Usage(3, 2))], None),
        ([Delta(" "), Delta(" "), DONE], None),
        ([Delta("Write to "), Delta("someone@example.com"), DONE], None),
        ([Delta("Hel"), Delta("lo"), DONE], Interrupted("It broke off.")),
    ],
)
def test_answers_that_are_not_kept(
    valkey: Valkey, events: list[Event], failure: Problem | None
) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        model.events, model.failure = events, failure
        for _ in range(2):
            (answer,) = await asyncio.gather(
                replica.ask(question(), token(), model), return_exceptions=True
            )
            assert answer is failure if failure else answer[0] == "miss"  # type: ignore[index]
        assert model.asked == 2

    run(valkey, work)


def test_asking_afresh_replaces_the_answer(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        await replica.ask(question(), token(), model)
        model.events = [Delta("New"), DONE]
        fresh = CacheControl.parse("max-age=0, no-cache")
        assert await replica.ask(question(), token(), model, fresh) == ("miss", "New")
        assert await replica.ask(question(), token(), model) == ("exact", "New")

    run(valkey, work)


def test_an_answer_is_kept_until_an_absolute_time(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        now = 1000.0
        replica, model = Replica(redis, now=lambda: now), eager()
        await replica.ask(question(), token(), model)
        now = 1030.0
        found, _ = await replica.begin(question(), token(), model)
        assert (found.state, found.age) == ("exact", 30)
        now = 1059.0  # being used does not make it younger
        assert (await replica.ask(question(), token(), model))[0] == "exact"
        now = 1060.0
        assert (await replica.ask(question(), token(), model))[0] == "miss"

    run(valkey, work)


def test_one_token_adds_so_many_and_no_more(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis, per_token=3), eager()
        for number in range(5):
            await replica.ask(question(f"Question {number}?"), token(), model)
        states = [
            (await replica.ask(question(f"Question {number}?"), token(), model))[0]
            for number in range(5)
        ]
        assert states == ["exact"] * 3 + ["miss"] * 2
        assert (await replica.ask(question(), token("tok_2"), model))[0] == "miss"
        assert (await replica.ask(question(), token("tok_2"), model))[0] == "exact"

    run(valkey, work)


def test_nothing_is_added_to_a_redis_that_is_nearly_full(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        used = int((await redis.info("memory"))["used_memory"])
        await redis.config_set("maxmemory", used * 2)
        try:
            for share, state in ((0.1, "miss"), (0.95, "exact")):
                replica, model = Replica(redis, memory_share=share), eager()
                await replica.ask(question(), token(), model)
                assert (await replica.ask(question(), token(), model))[0] == state
        finally:
            await redis.config_set("maxmemory", 0)

    run(valkey, work)


def test_a_redis_that_goes_away_keeps_nothing_and_fails_nobody(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        found = replica.cache.found(Wanted("a question"), token(), None)
        valkey.stop()
        for _ in range(2):
            found, events = await replica.cache.share(found, token(), 0, model.answer)
            assert [event async for event in events] == model.events
            assert found.state == "miss"
        assert model.asked == 2

    run(valkey, work)


def test_an_answer_that_cannot_be_read_is_none(valkey: Valkey) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        assert await replica.ask(question(), token(), model) == ("miss", "Hello")
        (name,) = await redis.keys("ask:answer:*")
        for garbage in ("", "x", "9" * 13, "9" * 13 + " {", "9" * 13 + ' {"text": 1}'):
            await redis.set(name, garbage)
            assert (await replica.ask(question(), token(), model))[0] == "miss", garbage
            assert (await replica.ask(question(), token(), model))[0] == "exact"

    run(valkey, work)
