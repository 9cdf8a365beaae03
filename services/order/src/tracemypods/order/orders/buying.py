"""From a proved address to an order that can be paid, and from a payment to the token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pydantic import SecretStr

from tracemypods.contracts.events import SoldBy
from tracemypods.contracts.payments import About, CheckIn, CreateIn
from tracemypods.contracts.premium_tokens import IssuedPremiumToken
from tracemypods.contracts.prices import Price
from tracemypods.kit.errors import InvalidRequest, Problem, Unavailable
from tracemypods.kit.ids import new_id
from tracemypods.order.beside import Payments, Tokens
from tracemypods.order.codes import addresses
from tracemypods.order.orders import machine
from tracemypods.order.orders.order import BoughtPlan, Buyer, Event, Order
from tracemypods.order.orders.settlement import OPEN_MILLISECONDS, Settlement
from tracemypods.order.orders.store import OPEN_PER_ADDRESS, Duplicate, Orders, OrderUnknown
from tracemypods.order.sales.offers import Offer

SETTLED_WITHIN_SECONDS = 5.0
"""How long a buyer's call waits for the token; the page asks again after that."""
LOOK_SECONDS = 0.05
ABOUT_SECONDS = 60.0


class IdempotencyMismatch(Problem):
    """The key was used for another order."""

    status, code = 422, "idempotency_mismatch"


class TooManyOpenOrders(Problem):
    """The address has as many unpaid orders as it may."""

    status, code = 409, "too_many_open_orders"


class NotIssued(Problem):
    """The order has no token that could be given."""

    status, code = 409, "token_not_issued"


@dataclass(frozen=True)
class Wish:
    """What somebody wants to buy, and at which price."""

    address: str
    offer: Offer
    buyer: Buyer
    seller: SoldBy
    price: Price
    idempotency_key: str


class Buying:
    """Makes orders and gives out what they bought. `now` tells the time in milliseconds."""

    def __init__(
        self,
        orders: Orders,
        settlement: Settlement,
        payments: Payments,
        tokens: Tokens,
        secret_key: SecretStr,
        now: Callable[[], int],
        *,
        only_live: bool,
    ) -> None:
        self._orders = orders
        self._settlement = settlement
        self._payments = payments
        self._tokens = tokens
        self._secret_key = b"order\0" + secret_key.get_secret_value().encode()
        self._now = now
        self._only_live = only_live
        self._about: About | None = None
        self._about_until = 0.0

    async def about(self) -> About:
        """What payment says of itself, asked once a minute.

        Raises Unavailable `payment_unavailable`.
        """
        if self._about is None or time.monotonic() >= self._about_until:
            self._about = await self._payments.about()
            self._about_until = time.monotonic() + ABOUT_SECONDS
        return self._about

    def secret(self, order_id: str) -> str:
        """An order's secret, for its buyer's eyes. It is derived, and stored nowhere."""
        digest = hmac.digest(self._secret_key, order_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def order(self, order_id: str, secret: str) -> Order:
        """The order of who knows its secret. Raises OrderUnknown."""
        expected = self.secret(order_id).encode()
        if not hmac.compare_digest(secret.encode(errors="replace"), expected):
            raise _unknown()
        order = await self._orders.get(order_id)
        if self._only_live and order.livemode is False:
            raise _unknown()
        return order

    async def create(self, wish: Wish) -> Order:
        """An order that can be paid: stored first, then made known to Razorpay.

        The same key gives the same order. Raises IdempotencyMismatch, TooManyOpenOrders, or
        Unavailable.
        """
        order = await self._keep(self._new(wish))
        if order.razorpay_order_id is not None:
            return order
        created = await self._payments.create(
            CreateIn(receipt=order.id, amount=order.price.total, currency=order.price.currency)
        )
        if self._only_live and not created.livemode:
            raise Unavailable("Nothing can be paid here: this is a test.", code="test_payments")

        def change(current: Order) -> Order | None:
            if current.razorpay_order_id is not None:
                return None
            return current.model_copy(
                update={
                    "razorpay_order_id": created.razorpay_order_id,
                    "key_id": created.key_id,
                    "livemode": created.livemode,
                }
            )

        return await self._orders.change(order, change)

    def _new(self, wish: Wish) -> Order:
        now, plan = self._now(), wish.offer.plan
        scope = f"{addresses.key(wish.address)}\0{wish.idempotency_key}"
        body = [wish.offer.id, wish.buyer.model_dump()]
        return Order(
            id=new_id("ord", now),
            created_at=now,
            email=wish.address,
            plan=BoughtPlan(id=wish.offer.id, title=plan.title, days=plan.days, hsn=plan.hsn),
            buyer=wish.buyer,
            seller=wish.seller,
            price=wish.price,
            idempotency_key=_digest(scope),
            body_hash=_digest(json.dumps(body)),
            history=[Event(at=now, what="ordered", source="buyer")],
            due_at=now + OPEN_MILLISECONDS,
        )

    async def _keep(self, order: Order) -> Order:
        """Store a new order in a free slot of its address, or find the one with the same key."""
        owner = _digest(addresses.key(order.email))
        for number in range(OPEN_PER_ADDRESS):
            placed = order.model_copy(update={"slot": f"{owner}:{number}"})
            try:
                await self._orders.insert(placed)
            except Duplicate as duplicate:
                if duplicate.field == "slot":
                    continue
                break
            return placed
        # Which of two values was the one that is there already depends on the server.
        with suppress(OrderUnknown):
            return self._same(await self._orders.by_key(order.idempotency_key), order)
        raise TooManyOpenOrders(
            f"This address has {OPEN_PER_ADDRESS} unpaid orders already. Pay one of them, or wait "
            "until they expire, a day after they were made."
        )

    def _same(self, known: Order, wanted: Order) -> Order:
        if known.body_hash != wanted.body_hash:
            raise IdempotencyMismatch(
                "This Idempotency-Key was used for another order. Use a new one."
            )
        return known

    async def paid(self, order: Order, brought: CheckIn) -> tuple[Order, IssuedPremiumToken | None]:
        """Take in what Razorpay's checkout gave the buyer; the token comes once, the first time.

        Raises InvalidRequest for what belongs to another order, payment's Problems (403
        `signature_invalid`), or Unavailable.
        """
        if order.razorpay_order_id is None or brought.razorpay_order_id != order.razorpay_order_id:
            raise InvalidRequest("This payment is of another order.", code="order_differs")
        fact = await self._payments.check(brought)
        if fact.razorpay_order_id != order.razorpay_order_id or fact.livemode != order.livemode:
            raise InvalidRequest("This payment is of another order.", code="order_differs")
        order, _ = await self._settlement.take(order, fact, "callback")
        order = await self._settled(order)
        if order.token != "issued" or order.token_shown:  # noqa: S105 - a state
            return order, None
        return await self._show_once(order)

    async def _settled(self, order: Order) -> Order:
        """The order once what it is owed is done, or for as long as a buyer waits."""
        give_up = time.monotonic() + SETTLED_WITHIN_SECONDS
        while machine.is_owing(order) and time.monotonic() < give_up:
            try:
                settled = await self._settlement.settle(order.id)
            except Problem:
                return await self._orders.get(order.id)
            if settled is None:  # somebody else has it
                await asyncio.sleep(LOOK_SECONDS)
            order = await self._orders.get(order.id) if settled is None else settled
        return order

    async def _show_once(self, order: Order) -> tuple[Order, IssuedPremiumToken | None]:
        token = await self._tokens.issue(order.id, order.plan.days, livemode=order.livemode is True)
        first = False

        def change(current: Order) -> Order | None:
            nonlocal first
            first = not current.token_shown
            return current.model_copy(update={"token_shown": True}) if first else None

        order = await self._orders.change(order, change)
        return order, token if first else None

    async def give_again(self, order_id: str, address: str) -> IssuedPremiumToken:
        """The token again, for who has proved the order's address.

        Raises OrderUnknown for an order of another address, NotIssued, or token's Problems.
        """
        order = await self._orders.get(order_id)
        if not addresses.same(order.email, address) or (
            self._only_live and order.livemode is False
        ):
            raise _unknown()
        order = await self._settled(order)
        if order.token != "issued":  # noqa: S105 - a state
            raise NotIssued(
                f"There is no token to be given for this order: its state is "
                f"{machine.status(order)!r}."
            )
        token = await self._tokens.issue(order.id, order.plan.days, livemode=order.livemode is True)
        await self._orders.change(
            order,
            lambda current: (
                None if current.token_shown else current.model_copy(update={"token_shown": True})
            ),
        )
        return token


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unknown() -> OrderUnknown:
    return OrderUnknown("There is no such order, or this is not its secret.")
