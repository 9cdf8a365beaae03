"""What the ask service's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.answers import Answerer
from tracemypods.ask.cache.answer_cache import AnswerCache
from tracemypods.ask.callers import Callers
from tracemypods.ask.entrance import Entrance
from tracemypods.ask.quotas.blocks import Blocks
from tracemypods.ask.revocations import Revocations
from tracemypods.ask.semantic.semantic_cache import SemanticCache
from tracemypods.ask.servers import ModelServers
from tracemypods.ask.settings import Settings
from tracemypods.contracts.catalogue import Catalogue
from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.contracts.tokens import TokenRecord
from tracemypods.kit.app import Draining


@dataclass(frozen=True)
class State:
    """Made once, when the application is created."""

    settings: Settings
    catalogue: Catalogue
    callers: Callers
    models: ModelServers
    answerer: Answerer
    draining: Draining
    revocations: Revocations
    queues: ModelQueues
    entrance: Entrance
    blocks: Blocks
    cache: AnswerCache
    semantic: SemanticCache | None
    embedder: EmbeddingClient | None

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
    return await state.callers.recognise(state.callers.credential(authorization))


CallerDep = Annotated[TokenRecord, Depends(get_caller)]
