"""From a checked question to its reply: the steps that both wire formats share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from tracemypods.ask.admission.turn import Turn
from tracemypods.ask.answers import Event, Question
from tracemypods.ask.cache.answer_cache import LookUp
from tracemypods.ask.cache.keys import CacheControl
from tracemypods.ask.models import upstream_name
from tracemypods.ask.quotas.sizes import likely_prompt_tokens, most_tokens
from tracemypods.ask.state import State
from tracemypods.ask.streams import Departure, EventStream
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.errors import Problem

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Reply:
    """An answer that has begun: what is known of it already, and its events as they come.

    `dropped_messages` counts the oldest messages that did not fit the model's context, `headers`
    are for the response, in either wire format. `cache` says where the answer comes from, `turn` is
    where the question stands; whoever gets a Reply calls its `abandon` once nothing is made of it
    any more (`stream` and `whole` do).
    """

    model: str
    dropped_messages: int
    events: AsyncGenerator[Event]
    turn: Turn
    cache: LookUp
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


async def begin(
    state: State,
    question: Question,
    caller: TokenRecord,
    network: str,
    control: CacheControl,
) -> Reply:
    """Ask the question. What can be refused at once is refused here, before anything is sent.

    `network` is the client's, `control` what the caller says about cached answers. Raises the
    Problems of Quotas.enter, ModelServer.require, Answerer.fit and Turn.enter.
    """
    lease = await state.quotas.enter(caller, network, most_tokens(question))
    model = upstream_name(question.model, question.entry)
    turn = Turn(state.queues, model, caller.plan, lease, likely_prompt_tokens(question))
    try:
        found = await state.cache.look_up(question, caller, control)
        if found.answer is not None:
            dropped, events = found.answer.dropped_messages, state.cache.replay(found.answer)
        else:
            await state.models.require(question.model)
            fitted = await state.answerer.fit(question)

            def make() -> AsyncGenerator[Event]:
                turn.enter()
                return turn.answer(state.answerer.answer(question, fitted))

            dropped = fitted.dropped
            found, events = await state.cache.share(found, caller, dropped, make)
    except BaseException:
        turn.abandon()
        raise
    if found.state == "exact":
        turn.abandon()  # somebody else's turn, now or earlier: it counts as a request only
    return Reply(question.model, dropped, events, turn, found, {**lease.headers, **found.headers()})


def stream(
    state: State,
    caller: TokenRecord,
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
        watching=state.revocations.watching(caller.hash),
        heartbeat=state.settings.heartbeat_seconds,
        stall=state.settings.stall_seconds,
        last_frame=last_frame,
        ended=reply.turn.abandon,
        headers=headers,
    )


async def whole(
    request: Request,
    state: State,
    caller: TokenRecord,
    reply: Reply,
    work: Coroutine[Any, Any, ResultT],
) -> ResultT:
    """Await a whole answer, unless its caller leaves or has to go.

    Raises CallerLeft, Stopping, TokenError, or the Problem that the answer ends with.
    """
    try:
        with state.revocations.watching(caller.hash) as revoked:
            departure = Departure(request.receive, state.draining, state.grace_seconds, revoked)
            return await departure.limit(work)
    finally:
        reply.turn.abandon()
