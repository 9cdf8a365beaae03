"""What the sandbox's routes share."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from tracemypods.kit.clock import Clock
from tracemypods.local.sandboxes.guard import check_site
from tracemypods.local.sandboxes.razorpay.access import check_basic, check_control
from tracemypods.local.sandboxes.razorpay.books import Books
from tracemypods.local.sandboxes.razorpay.disputes import Disputes
from tracemypods.local.sandboxes.razorpay.faults import ArmedFaults
from tracemypods.local.sandboxes.razorpay.late import LateAuthorisations
from tracemypods.local.sandboxes.razorpay.nonces import Nonces
from tracemypods.local.sandboxes.razorpay.orders import Orders
from tracemypods.local.sandboxes.razorpay.payments import Payments
from tracemypods.local.sandboxes.razorpay.refunds import Refunds
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.sandboxes.razorpay.store import Store
from tracemypods.local.sandboxes.razorpay.webhooks import Webhooks


class State:
    """Everything that one sandbox has."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.store = Store(settings.data_dir)
        self.books = Books(self.store)
        self.webhooks = Webhooks(settings, self.store, clock)
        self.orders = Orders(settings, self.store, clock)
        shared = (self.webhooks, self.books)
        self.payments = Payments(self.store, clock, self.orders, *shared)
        self.refunds = Refunds(self.store, clock, self.payments, *shared)
        self.disputes = Disputes(self.store, clock, self.payments, *shared)
        self.late = LateAuthorisations(settings, self.store, clock, self.payments)
        self.faults = ArmedFaults()
        self.nonces = Nonces(settings.nonce_seconds, clock)

    async def start(self) -> None:
        """Go on with what was left to do."""
        await self.webhooks.start()
        await self.late.start()

    async def stop(self) -> None:
        """Stop, and close the database."""
        await self.late.stop()
        await self.webhooks.stop()
        self.store.close()

    async def check(self) -> None:
        """Raise what is wrong with the database."""
        self.store.check()


def of_request(request: Request) -> State:
    """The state of the application that handles a request."""
    return cast("State", request.app.state.razorpay)


async def _authenticated(request: Request) -> State:
    state = of_request(request)
    check_basic(request, state.settings)
    return state


async def _controlling(request: Request) -> State:
    state = of_request(request)
    check_control(request, state.settings)
    return state


async def _of_our_site(request: Request) -> State:
    state = of_request(request)
    check_site(request, state.settings.hosts)
    return state


Account = Annotated[State, Depends(_authenticated)]
"""For routes of the API: whoever has its key."""
Controlled = Annotated[State, Depends(_controlling)]
"""For control routes: whoever has the control key."""
OurSite = Annotated[State, Depends(_of_our_site)]
"""For the checkout: called by our names, and by our own pages."""
