"""The exact cache without HTTP: keys and scopes, what is kept, and one call for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.cache.answer_cache import AnswerCache, LookUp
from tracemypods.ask.cache.flights import AUDIENCE_SECONDS
from tracemypods.ask.cache.keys import CacheControl, CachePolicy, cache_key
from tracemypods.ask.cache.relay import Relay
from tracemypods.ask.cache.store import AnswerStore
from tracemypods.ask.completions import Interrupted, Usage
from tracemypods.ask.conversation import Message
from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.errors import Problem
from tracemypods.kit.redis import RedisSettings, connect
from tracemypods.local.testing.valkey import Valkey

CATALOGUE = load_catalogue(Path(__file__).parents[3] / "config")
PRIVATE = CachePolicy(enabled=True, shared=False, max_temperature=1.0)
SHARED = CachePolicy(enabled=True, shared=True, max_temperature=1.0)
PLAIN = CacheControl()
DONE = Done("stop", Usage(3, 2))


def question(text: str = "Hi?", **fields: Any) -> Question:
    name = fields.pop("model", "smollm2:135m")
    messages = fields.pop("messages", [Message("user", text)])
    return Question(name, CATALOGUE.models[name], messages, fields.pop("tokens", 64), fields)


def token(name: str = "tok_1", plan: str = "free") -> TokenRecord:
    return TokenRecord.model_validate(
        {
            "id": name,
            "plan": plan,
            "issued_at": "2026-01-01T00:00:00Z",
            "expires_at": "2999-01-01T00:00:00Z",
        }
    )


class Model:
    """Makes answers when it is told to, and counts them."""

    def __init__(self) -> None:
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.was_left = asyncio.Event()
        self.go_on = asyncio.Event()
        self.events: list[Event] = [Delta("Hel"), Delta("lo"), DONE]
        self.failure: Problem | None = None

    async def answer(self) -> AsyncGenerator[Event]:
        self.asked += 1
        self.was_asked.set()
        try:
            for index, event in enumerate(self.events):
                if index == 1:
                    await self.go_on.wait()
                    if self.failure is not None:
                        raise self.failure
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.was_left.set()
            raise


class MortalRelay(Relay):
    """A relay whose replica can be killed: it writes and renews nothing any more."""

    dead = False

    async def _write(self, key: str, name: str, waiting: list[str], hold: int) -> None:
        if not self.dead:
            await super()._write(key, name, waiting, hold)


class Replica:
    """One replica's cache. All of a test are closed at its end."""

    made: ClassVar[list[Replica]] = []

    def __init__(self, redis: Redis, policy: CachePolicy = PRIVATE, **store: Any) -> None:
        options: dict[str, Any] = {"seconds": 60, "per_token": 100, "memory_share": 0.8, **store}
        self.relay = MortalRelay(redis)
        self.store = AnswerStore(redis, **options)
        self.cache = AnswerCache(policy, self.store, self.relay)
        self.made.append(self)

    async def begin(
        self,
        asked: Question,
        caller: TokenRecord,
        model: Model,
        control: CacheControl = PLAIN,
    ) -> tuple[LookUp, AsyncGenerator[Event]]:
        """What the routes do."""
        found = await self.cache.look_up(asked, caller, control)
        if found.answer is not None:
            return found, self.cache.replay(found.answer)
        return await self.cache.share(found, caller, 0, model.answer)

    async def ask(
        self,
        asked: Question,
        caller: TokenRecord,
        model: Model,
        control: CacheControl = PLAIN,
    ) -> tuple[str, str]:
        """The state of the cache and the whole text."""
        found, events = await self.begin(asked, caller, model, control)
        async with aclosing(events) as arriving:
            text = [event.text async for event in arriving if isinstance(event, Delta)]
        return found.state, "".join(text)


Work = Callable[[Redis], Awaitable[None]]


@pytest.fixture
def run(valkey: Valkey) -> Callable[[Work], None]:
    """Run a test's coroutine with a client of an empty Valkey."""

    def run_it(work: Work) -> None:
        async def main() -> None:
            settings = RedisSettings.model_validate(
                {"redis_url": valkey.url, "redis_password": valkey.password}
            )
            redis = connect(settings)
            try:
                await work(redis)
            finally:
                for replica in Replica.made:
                    await replica.cache.close()
                Replica.made.clear()
                await redis.aclose()

        asyncio.run(main())

    return run_it


def eager() -> Model:
    model = Model()
    model.go_on.set()
    return model


def test_a_repeated_question_is_answered_from_the_cache(run: Callable[[Work], None]) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        assert await replica.ask(question(), token(), model) == ("miss", "Hello")
        assert await replica.ask(question(), token(), model) == ("exact", "Hello")
        assert await replica.ask(question("  Hi?\r\n"), token(), model) == ("exact", "Hello")
        assert model.asked == 1
        found, events = await replica.begin(question(), token(), model)
        assert found.headers() == {"X-Cache": "exact", "Age": "0"}
        assert [event async for event in events] == [Delta("Hello"), DONE]

    run(work)


@pytest.mark.parametrize(
    "other",
    [
        question("Hi"),
        question("hi?"),
        question("H  i?"),
        question(model="smollm2:135m-plus"),
        question(tokens=65),
        question(temperature=0.5),
        question(seed=1),
        question(messages=[Message("system", "Be brief."), Message("user", "Hi?")]),
        question(messages=[Message("user", "Hi?\nassistant: x")]),
    ],
)
def test_other_questions_have_other_keys(other: Question) -> None:
    assert cache_key(other, token(), PRIVATE) != cache_key(question(), token(), PRIVATE)


def test_scopes() -> None:
    mine = cache_key(question(), token("tok_1"), PRIVATE)
    assert mine != cache_key(question(), token("tok_2"), PRIVATE)
    shared = cache_key(question(), token("tok_1"), SHARED)
    assert shared == cache_key(question(), token("tok_2"), SHARED)
    assert shared != mine
    # Never an answer made for a premium token to a free one.
    assert shared != cache_key(question(), token("tok_3", "premium"), SHARED)


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
    run: Callable[[Work], None], asked: Question, policy: CachePolicy, control: CacheControl
) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis, policy), eager()
        for _ in range(2):
            assert await replica.ask(asked, token(), model, control) == ("bypass", "Hello")
        assert model.asked == 2
        assert await redis.dbsize() == 0

    run(work)


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
    run: Callable[[Work], None], events: list[Event], failure: Problem | None
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

    run(work)


def test_asking_afresh_replaces_the_answer(run: Callable[[Work], None]) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        await replica.ask(question(), token(), model)
        model.events = [Delta("New"), DONE]
        fresh = CacheControl.parse("max-age=0, no-cache")
        assert await replica.ask(question(), token(), model, fresh) == ("miss", "New")
        assert await replica.ask(question(), token(), model) == ("exact", "New")

    run(work)


def test_an_answer_is_kept_until_an_absolute_time(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_one_token_adds_so_many_and_no_more(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_nothing_is_added_to_a_redis_that_is_nearly_full(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_a_redis_that_is_away_is_an_empty_cache(
    run: Callable[[Work], None], valkey: Valkey
) -> None:
    async def work(redis: Redis) -> None:
        replica, model = Replica(redis), eager()
        valkey.stop()
        for _ in range(2):
            assert await replica.ask(question(), token(), model) == ("miss", "Hello")
        assert model.asked == 2

    run(work)


def test_a_hundred_at_once_make_one_call(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_followers_on_other_replicas_see_it_grow(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_generation_goes_on_for_followers_and_stops_with_the_last(
    run: Callable[[Work], None],
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

    run(work)


def test_a_failure_reaches_every_follower(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_a_leader_that_dies_is_followed_by_another(run: Callable[[Work], None]) -> None:
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

    run(work)


def test_who_had_a_part_hears_that_the_leader_died(run: Callable[[Work], None]) -> None:
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

    run(work)


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
    run: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch, executed: bool
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

    run(work)


@pytest.mark.parametrize("where", ["here", "there"])
def test_who_asks_while_a_deserted_answer_ends_gets_an_answer(
    run: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch, where: str
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

    run(work)
