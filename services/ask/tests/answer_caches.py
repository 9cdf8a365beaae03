"""The exact cache without HTTP, for tests: a model that obeys, and replicas that share a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.cache.answer_cache import AnswerCache, LookUp
from tracemypods.ask.cache.keys import CacheControl, CachePolicy
from tracemypods.ask.cache.relay import Relay
from tracemypods.ask.cache.store import AnswerStore
from tracemypods.ask.callers import Callers, Credential
from tracemypods.ask.completions import Usage
from tracemypods.ask.conversation import Message
from tracemypods.ask.entrance import Entrance
from tracemypods.ask.quotas.limits import LOCAL, AllLimits
from tracemypods.ask.quotas.quotas import Quotas
from tracemypods.coalescing.client import connect_coalescing
from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.contracts.tokens import TokenRecord, record_key
from tracemypods.kit.clock import utc_now
from tracemypods.kit.errors import Problem
from tracemypods.kit.redis import RedisSettings, connect
from tracemypods.local.testing.tokens import KEYS
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

    settings: ClassVar[RedisSettings]
    made: ClassVar[list[Replica]] = []

    def __init__(self, redis: Redis, policy: CachePolicy = PRIVATE, **store: Any) -> None:
        options: dict[str, Any] = {"seconds": 60, "per_token": 100, "memory_share": 0.8, **store}
        self.hot = connect_coalescing(self.settings)
        self.everything = redis
        self.relay = MortalRelay(redis, self.hot)
        self.store = AnswerStore(self.hot, **options)
        self.cache = AnswerCache(policy, self.store, self.relay, CollectorRegistry())
        quotas = Quotas(self.hot, AllLimits(LOCAL, LOCAL, LOCAL), str)
        callers = Callers(self.hot, KEYS, utc_now)
        self.entrance = Entrance(self.hot, callers, quotas, self.cache, utc_now)
        self.made.append(self)

    async def begin(
        self,
        asked: Question,
        caller: TokenRecord,
        model: Model,
        control: CacheControl = PLAIN,
    ) -> tuple[LookUp, AsyncGenerator[Event]]:
        """What the routes do."""
        wanted = self.cache.wanted(asked).limited(control)
        await self.everything.set(record_key(caller.id), caller.model_dump_json())
        credential = Credential(caller.plan, [caller.id])
        found = (await self.entrance.enter(credential, "127.0.0.1", 1, wanted)).found
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


def eager() -> Model:
    model = Model()
    model.go_on.set()
    return model


Work = Callable[[Redis], Awaitable[None]]


def run(valkey: Valkey, work: Work) -> None:
    """Run a test's coroutine with a client of an empty Valkey, which may do everything there.

    Replicas are on their hot paths who ask is.
    """

    async def main() -> None:
        Replica.settings = RedisSettings.model_validate(valkey.login("ask"))
        everything = {"redis_username": "default", "redis_password": valkey.password}
        redis = connect(RedisSettings.model_validate({**valkey.login("ask"), **everything}))
        try:
            await work(redis)
        finally:
            for replica in Replica.made:
                await replica.cache.close()
                await replica.hot.aclose()
            Replica.made.clear()
            await redis.aclose()

    asyncio.run(main())
