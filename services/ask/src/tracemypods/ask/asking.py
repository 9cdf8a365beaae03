"""From a checked question to its reply: the steps that both wire formats share."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.types import Receive

from tracemypods.ask.admission.turn import Turn
from tracemypods.ask.answers import Done, Event, Question
from tracemypods.ask.cache.answer_cache import LookUp, Wanted
from tracemypods.ask.cache.store import StoredAnswer
from tracemypods.ask.callers import Credential
from tracemypods.ask.models import upstream_name
from tracemypods.ask.quotas.sizes import likely_prompt_tokens, most_tokens
from tracemypods.ask.semantic.entries import SHARED, Candidate
from tracemypods.ask.semantic.searchable import Searchable
from tracemypods.ask.semantic.semantic_cache import Looked, Scope
from tracemypods.ask.state import State
from tracemypods.ask.streams import Departure, EventStream
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.errors import Problem


@dataclass(frozen=True)
class Reply:
    """An answer that has begun: what is known of it already, and its events as they come.

    `dropped_messages` counts the oldest messages that did not fit the model's context, `headers`
    are for the response, in either wire format. `cache` says where the answer comes from; `kept` is
    one that was there already. `turn` is where the question stands, None for a kept answer; whoever
    gets a Reply calls its `abandon` once nothing is made of it any more (`stream` and `whole` do).
    """

    caller: TokenRecord
    model: str
    dropped_messages: int
    events: AsyncGenerator[Event]
    turn: Turn | None
    cache: LookUp
    headers: Mapping[str, str]

    @property
    def kept(self) -> StoredAnswer | None:
        """The answer, where it is a kept one."""
        return self.cache.answer

    def abandon(self) -> None:
        """Give up what nobody has begun to use. May be repeated."""
        if self.turn is not None:
            self.turn.abandon()


@dataclass(frozen=True)
class Asked:
    """A question, what is wanted of the exact cache for it, and of the semantic one if anything."""

    question: Question
    wanted: Wanted
    searchable: Searchable | None


async def begin(state: State, asked: Asked, credential: Credential, network: str) -> Reply:
    """Ask the question. What can be refused at once is refused here, before anything is sent.

    `network` is the client's. Raises the Problems of Entrance.enter, ModelServers.require,
    Answerer.fit and Turn.enter.
    """
    question, weights = asked.question, state.models.weights(asked.question.model)
    wanted = asked.wanted.of(weights)
    entry = await state.entrance.enter(credential, network, most_tokens(question), wanted)
    caller, found, lease = entry.caller, entry.found, entry.lease
    headers = {**entry.headers, **found.headers()}
    if lease is None:
        kept = found.answer
        state.cache.count(found)
        assert kept is not None  # noqa: S101 - what Entry promises
        events = state.cache.replay(kept)
        return Reply(caller, question.model, kept.dropped_messages, events, None, found, headers)
    model = upstream_name(question.model, question.entry)
    turn = Turn(state.queues, model, caller.plan, lease, likely_prompt_tokens(question))
    try:
        scope = Scope(f"token:{caller.id}", caller.plan, weights)
        looked = await _look_up(state, asked, found, scope)
        if looked is not None and looked.to_be_given is not None:
            turn.abandon()
            return _semantic(state, caller, question, looked.to_be_given, entry.headers)
        await state.models.require(question.model)
        fitted = await state.answerer.fit(question)

        def make() -> AsyncGenerator[Event]:
            turn.enter()
            return turn.answer(state.answerer.answer(question, fitted))

        def keep(answer: StoredAnswer) -> None:
            if asked.searchable is not None and state.semantic is not None:
                state.semantic.keep(asked.searchable, scope, looked, answer)

        found, events = await state.cache.share(found, caller, fitted.dropped, make, keep)
    except BaseException as error:
        turn.abandon()
        if isinstance(error, Problem):
            error.add_headers(entry.headers)
        raise
    if found.standby:
        events = _standing_by(turn, events)
    elif found.state == "exact":
        turn.abandon()  # somebody else's turn: it counts as a request only
    headers.update(found.headers())
    state.cache.count(found)
    return Reply(caller, question.model, fitted.dropped, events, turn, found, headers)


async def _look_up(state: State, asked: Asked, found: LookUp, scope: Scope) -> Looked | None:
    """Look for an answer to a question that asks the same, where that may be given."""
    semantic = state.semantic
    if semantic is None or asked.searchable is None or found.key is None or found.fresh:
        return None
    return await semantic.look_up(asked.searchable, scope)


def _semantic(
    state: State,
    caller: TokenRecord,
    question: Question,
    candidate: Candidate,
    headers: Mapping[str, str],
) -> Reply:
    """The answer to a question that asks the same."""
    answer = candidate.entry.answer
    found = LookUp(
        "semantic",
        answer=answer,
        age=answer.age(time.time()),
        similarity=candidate.similarity,
        question=candidate.entry.shown_question,
        entry=candidate.entry.id,
        shared=candidate.entry.scope == SHARED,
    )
    state.cache.count(found)
    return Reply(
        caller,
        question.model,
        answer.dropped_messages,
        state.cache.replay(answer),
        None,
        found,
        {**headers, **found.headers()},
    )


async def _standing_by(turn: Turn, source: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Give up the turn of who stood by in vain, before its caller hears of the end."""
    async with aclosing(source) as events:
        async for event in events:
            if isinstance(event, Done):
                turn.abandon()
            yield event


def stream(
    state: State,
    reply: Reply,
    frames: AsyncGenerator[bytes],
    last_frame: Callable[[Problem], bytes],
    headers: Mapping[str, str],
) -> EventStream:
    """A streamed response, which ends when its caller leaves, reads no more or has to go."""
    return EventStream(
        frames,
        draining=state.draining,
        grace=state.grace_seconds,
        watching=state.revocations.watching(reply.caller.hash),
        heartbeat=state.settings.heartbeat_seconds,
        stall=state.settings.stall_seconds,
        last_frame=last_frame,
        ended=reply.abandon,
        headers=headers,
    )


async def whole(receive: Receive, state: State, reply: Reply) -> tuple[str, Done]:
    """Await a whole answer, unless its caller leaves or has to go.

    Raises CallerLeft, Stopping, TokenError, or the Problem that the answer ends with.
    """
    try:
        with state.revocations.watching(reply.caller.hash) as revoked:
            departure = Departure(receive, state.draining, state.grace_seconds, revoked)
            return await departure.limit(_collect(reply.events))
    finally:
        reply.abandon()


async def _collect(events: AsyncGenerator[Event]) -> tuple[str, Done]:
    text: list[str] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return "".join(text), event
            text.append(event.text)
    raise AssertionError("an answer ends with Done or raises")
