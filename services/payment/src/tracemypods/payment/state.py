"""What the payment service's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.payment.comparison import Comparison
from tracemypods.payment.handover import HandOver
from tracemypods.payment.inbox import Inbox
from tracemypods.payment.metrics import PaymentMetrics
from tracemypods.payment.orders import Orders
from tracemypods.payment.razorpay.client import RazorpayClient
from tracemypods.payment.refunds import Refunds
from tracemypods.payment.settings import Settings
from tracemypods.payment.watching import Watching


@dataclass(frozen=True)
class State:
    """Made once, when the application is created."""

    settings: Settings
    razorpay: RazorpayClient
    inbox: Inbox
    hand_over: HandOver
    orders: Orders
    refunds: Refunds
    watching: Watching
    comparison: Comparison
    metrics: PaymentMetrics


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.payment


StateDep = Annotated[State, Depends(get_state)]
