"""What the order service's routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.order.codes.challenges import Challenges
from tracemypods.order.codes.sending import CodeSender
from tracemypods.order.codes.verifications import Verifications
from tracemypods.order.orders.buying import Buying
from tracemypods.order.orders.settlement import Settlement
from tracemypods.order.orders.store import Orders
from tracemypods.order.sales.market import Market
from tracemypods.order.sales.offers import Offers
from tracemypods.order.settings import Settings


@dataclass(frozen=True)
class State:
    """Made once, when the application is created. `now` tells the time in milliseconds."""

    settings: Settings
    challenges: Challenges
    codes: CodeSender
    verifications: Verifications
    offers: Offers
    orders: Orders
    settlement: Settlement
    buying: Buying
    market: Market
    now: Callable[[], int]


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.order


StateDep = Annotated[State, Depends(get_state)]
