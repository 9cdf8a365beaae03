"""What the ask service's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.answers import Answerer
from tracemypods.ask.cache.answer_cache import AnswerCache
from tracemypods.ask.cache.keys import CacheControl
from tracemypods.ask.callers import Callers
from tracemypods.ask.models import ModelServer
from tracemypods.ask.quotas.quotas import Quotas
from tracemypods.ask.revocations import Revocations
from tracemypods.ask.settings import Settings
from tracemypods.contracts.catalogue import Catalogue
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.addresses import network_of
from tracemypods.kit.app import Draining


@dataclass(frozen=True)
class State:
    """Made once, when the application is created."""

    settings: Settings
    catalogue: Catalogue
    callers: Callers
    models: ModelServer
    answerer: Answerer
    draining: Draining
    revocations: Revocations
    queues: ModelQueues
    quotas: Quotas
    cache: AnswerCache

    @property
    def grace_seconds(self) -> float:
        """How long open answers may go on once the service stops; the rest is for clean-up."""
        return self.settings.drain_seconds / 2


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.ask


StateDep = Annotated[State, Depends(get_state)]


async def get_caller(
    state: StateDep, authorization: Annotated[str | None, Header()] = None
) -> TokenRecord:
    """The caller's token. Raises TokenError, or Unavailable `token_store_unavailable`."""
    return await state.callers.recognise(authorization)


CallerDep = Annotated[TokenRecord, Depends(get_caller)]


def get_network(request: Request, state: StateDep) -> str:
    """The client's network: an IPv4 address, or an IPv6 /64."""
    return network_of(request, state.settings)


NetworkDep = Annotated[str, Depends(get_network)]


def get_cache_control(cache_control: Annotated[str | None, Header()] = None) -> CacheControl:
    """What the caller says about cached answers."""
    return CacheControl.parse(cache_control)


CacheControlDep = Annotated[CacheControl, Depends(get_cache_control)]
