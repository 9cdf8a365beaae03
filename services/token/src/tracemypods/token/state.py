"""What the token service's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.contracts.catalogue import Catalogue
from tracemypods.token.free import FreeTokens
from tracemypods.token.lookup import Lookup
from tracemypods.token.premium import PremiumTokens
from tracemypods.token.settings import Settings


@dataclass(frozen=True)
class State:
    """Made once, when the application is created."""

    settings: Settings
    catalogue: Catalogue
    free: FreeTokens
    premium: PremiumTokens
    lookup: Lookup


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.token


StateDep = Annotated[State, Depends(get_state)]
