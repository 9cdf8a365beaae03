"""The exact cache as the routes use it: look up, and else share one upstream call."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter

from tracemypods.ask.answers import Delta, Done, Event, Question
from tracemypods.ask.cache.flights import Flights
from tracemypods.ask.cache.keys import (
    CacheControl,
    CachePolicy,
    cacheable,
    question_digest,
    scope,
    shared_scope,
)
from tracemypods.ask.cache.personal_data import has_personal_data
from tracemypods.ask.cache.relay import LeaderGone, Relay, interrupted
from tracemypods.ask.cache.store import AnswerStore, StoredAnswer
from tracemypods.contracts.tokens import Plan, TokenRecord
from tracemypods.kit.errors import Problem

CacheState = Literal["exact", "semantic", "miss", "bypass"]

MakeAnswer = Callable[[], AsyncGenerator[Event]]
Kept = Callable[[StoredAnswer], None]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the cache for a question, whoever asks it.

    `digest` is None where the cache has no say, `fresh` where a kept answer will not do.
    """

    digest: str | None = None
    fresh: bool = False

    def limited(self, control: CacheControl) -> Wanted:
        """What of it the caller wants."""
        if self.digest is None or not (control.no_cache or control.no_store):
            return self
        return Wanted() if control.no_store else Wanted(self.digest, fresh=True)

    def of(self, weights: str) -> Wanted:
        """The same of a model with these weights, as far as they are known."""
        if self.digest is None or not weights:
            return self
        return Wanted(f"{weights}:{self.digest}", self.fresh)


@dataclass(frozen=True)
class LookUp:
    """What the cache says of a question. `key` is None where it has no say.

    `answer` is one that was kept, `age` its age in seconds. `standby` is set where another replica
    makes the answer and this one would go on in its place. An answer to a question that asks the
    same comes with the `similarity` of that `question`, which is None where its words are not
    for the caller, the id of its `entry`, and whether it is a `shared` one.
    """

    state: CacheState
    key: str | None = None
    answer: StoredAnswer | None = None
    age: int | None = None
    fresh: bool = False
    standby: bool = False
    similarity: float | None = None
    question: str | None = None
    entry: str | None = None
    shared: bool = False

    def headers(self) -> dict[str, str]:
        """What a response says about its cache."""
        headers = {"X-Cache": self.state}
        if self.age is not None:
            headers["Age"] = str(self.age)
        if self.similarity is not None:
            headers["X-Cache-Similarity"] = f"{self.similarity:.3f}"
        return headers


class AnswerCache:
    """Kept answers, and answers that are being made. Redis being away is a miss, never an error."""

    def __init__(
        self, policy: CachePolicy, store: AnswerStore, relay: Relay, registry: CollectorRegistry
    ) -> None:
        self._policy = policy
        self._store = store
        self._relay = relay
        self._flights = Flights()
        self._replica = uuid.uuid4().hex[:12]
        self._count = 0
        answers = Counter(
            "ask_answers", "Answers begun, by what the cache had", ["state"], registry=registry
        )
        self._counted = {state: answers.labels(state) for state in get_args(CacheState)}

    async def close(self) -> None:
        """End the answers that are being made."""
        await self._flights.close()

    def wanted(self, question: Question) -> Wanted:
        """What to look for."""
        return Wanted(question_digest(question) if cacheable(question, self._policy) else None)

    def look_for(self, wanted: Wanted, plan: Plan) -> tuple[str, str, int]:
        """What ENTER is told: digest (empty to look for nothing), whose answers, and since when."""
        digest = "" if wanted.fresh else wanted.digest or ""
        whose = shared_scope(plan) if self._policy.shared else ""
        return digest, whose, self._store.oldest()

    def found(self, wanted: Wanted, caller: TokenRecord, kept: bytes | None) -> LookUp:
        """What ENTER has found: `exact`, `miss`, or `bypass` for what is never kept."""
        if wanted.digest is None:
            return LookUp("bypass")
        key = f"{scope(caller, self._policy)}:{wanted.digest}"
        if kept is None:
            return LookUp("miss", key, fresh=wanted.fresh)
        answer = self._store.read(kept)
        return LookUp("exact", key, answer, answer.age(self._store.now()))

    def count(self, found: LookUp) -> None:
        """Note where an answer comes from."""
        self._counted[found.state].inc()

    async def replay(self, answer: StoredAnswer) -> AsyncGenerator[Event]:
        """A kept answer as the events of one that is made."""
        yield Delta(answer.text)
        yield answer.done()

    async def share(
        self,
        found: LookUp,
        caller: TokenRecord,
        dropped: int,
        make: MakeAnswer,
        kept: Kept | None = None,
    ) -> tuple[LookUp, AsyncGenerator[Event]]:
        """Make an answer, or follow the same one that somebody is just being given.

        `dropped` counts the messages that did not fit; `kept` is called with an answer made here
        once it is complete and may be kept. A followed answer is `exact` and 0 s old.
        Raises the Problem that `make` does.
        """
        key = found.key
        if key is None:
            return found, make()
        if found.fresh:
            return found, self._kept(key, caller, dropped, make(), kept)
        following = LookUp("exact", key, age=0)
        flight = self._flights.get(key)
        if flight is not None:
            return following, flight.follow()
        self._count += 1
        name = f"{self._replica}-{self._count}"
        leader = await self._relay.lead_or_leader(key, name)
        flight = self._flights.get(key)  # somebody here may have been faster meanwhile
        if flight is not None:
            return following, flight.follow()
        if leader in (name, None):
            try:
                first = make()  # now, so that what refuses it is heard at once
            except Problem:
                await self._relay.give_up(key, name)
                raise
            source = self._led(key, name, leader, self._kept(key, caller, dropped, first, kept))
        else:
            source = self._fly(key, name, leader, caller, dropped, make, kept)

        async def audience() -> bool:
            return leader == name and not await self._relay.deserted(key, name)

        flight = self._flights.start(key, source, audience)
        if leader in (name, None):
            return found, flight.follow()
        return replace(following, standby=True), flight.follow()

    async def _fly(
        self,
        key: str,
        name: str,
        leader: str | None,
        caller: TokenRecord,
        dropped: int,
        make: MakeAnswer,
        kept: Kept | None,
    ) -> AsyncGenerator[Event]:
        """The answer of the replica that leads; made here when that one goes away early."""
        while leader is not None and leader != name:
            given = False
            try:
                async with aclosing(self._relay.follow(key, leader)) as events:
                    async for event in events:
                        given = True
                        yield event
                return
            except LeaderGone:
                if given:
                    raise interrupted() from None
            leader = await self._relay.lead_or_leader(key, name)
        made = self._kept(key, caller, dropped, make(), kept)
        async with aclosing(self._led(key, name, leader, made)) as events:
            async for event in events:
                yield event

    def _led(
        self, key: str, name: str, leader: str | None, source: AsyncGenerator[Event]
    ) -> AsyncGenerator[Event]:
        """What this replica makes, written down for the others where Redis can take it."""
        return source if leader is None else self._relay.lead(key, name, source)

    async def _kept(
        self,
        key: str,
        caller: TokenRecord,
        dropped: int,
        source: AsyncGenerator[Event],
        kept: Kept | None,
    ) -> AsyncGenerator[Event]:
        """Pass an answer on, and keep it when it is complete."""
        text: list[str] = []
        async with aclosing(source) as events:
            async for event in events:
                match event:
                    case Delta():
                        text.append(event.text)
                    case Done():
                        # Before its end is passed on: who has that may stop to listen.
                        await self._keep(key, caller, dropped, "".join(text), event, kept)
                yield event

    async def _keep(
        self,
        key: str,
        caller: TokenRecord,
        dropped: int,
        text: str,
        done: Done,
        kept: Kept | None,
    ) -> None:
        if has_personal_data(text):
            return
        answer = StoredAnswer(
            text=text,
            finish_reason=done.finish_reason,
            prompt_tokens=done.usage.prompt_tokens,
            completion_tokens=done.usage.completion_tokens,
            dropped_messages=dropped,
            stored_at=self._store.now(),
        )
        await self._store.put(key, caller.id, answer)
        if kept is not None:
            kept(answer)
