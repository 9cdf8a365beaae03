"""Buying over HTTP: plans, orders, payments, tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path
from fastapi.responses import RedirectResponse
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.payments import About, CheckIn, RazorpayId
from tracemypods.contracts.prices import CURRENCY, Price
from tracemypods.kit.errors import FieldError, InvalidRequest, Problem, responses
from tracemypods.order.codes.verifications import LONGEST
from tracemypods.order.orders import machine, outbox
from tracemypods.order.orders.buying import Wish
from tracemypods.order.orders.order import ORDER_ID, Order, Status
from tracemypods.order.sales.buyers import BuyerIn, PlaceIn, check_buyer, check_place
from tracemypods.order.sales.offers import Offer
from tracemypods.order.sales.plans import Plan
from tracemypods.order.state import State, StateDep

router = APIRouter(tags=["orders"])

OrderId = Annotated[str, Path(pattern=ORDER_ID)]
Verification = Annotated[str, Field(max_length=LONGEST)]


_INVOICE: dict[str, Literal["pending", "sent", "delayed"]] = {
    "pending": "pending",
    "delivered": "sent",
    "failed": "delayed",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlanOut(BaseModel):
    """A plan. `price` is in paise, taxes included."""

    id: str
    title: str
    notes: str
    price: int
    currency: str
    days: int
    limits: dict[str, str]
    available: bool
    reason: str | None = Field(None, description="Why it is not sold at the moment")


class PlanList(BaseModel):
    """All plans. `inbox` is where captured mails are, in local mode."""

    items: list[PlanOut]
    livemode: bool | None = Field(
        description="Whether money is real; nobody knows while payment is away"
    )
    sandbox: bool | None = Field(description="Whether a stand-in takes Razorpay's place")
    inbox: str | None = None


class QuoteIn(_Strict):
    """What would be bought, and from where."""

    plan: str = Field(max_length=40)
    buyer: PlaceIn


class TaxOut(BaseModel):
    """One tax; its amount is in paise."""

    name: str
    rate_percent: float
    amount: int


class PriceOut(BaseModel):
    """A price in paise, and the taxes in it."""

    total: int
    taxable: int
    taxes: list[TaxOut]
    currency: str


class QuoteOut(BaseModel):
    """What it would cost."""

    price: PriceOut


class CreateIn(_Strict):
    """An order. Price and state are not the buyer's to say."""

    verification: Verification
    plan: str = Field(max_length=40)
    buyer: BuyerIn


class RazorpayOut(BaseModel):
    """What Razorpay's checkout needs."""

    order_id: str
    amount: int
    currency: str
    key_id: str
    checkout_url: str


class CreatedOut(BaseModel):
    """An order that can be paid. Its secret is the way back to it: keep it."""

    order_id: str
    order_secret: str
    price: PriceOut
    razorpay: RazorpayOut
    livemode: bool


class PaidIn(_Strict):
    """What Razorpay's checkout gave the page."""

    order_id: str = Field(pattern=ORDER_ID)
    order_secret: str = Field(max_length=100)
    razorpay_order_id: RazorpayId
    razorpay_payment_id: RazorpayId
    razorpay_signature: str = Field(max_length=200)


class PaidOut(BaseModel):
    """How far the order is, and its token when it is shown for the first time."""

    status: Status
    token: str | None = None
    expires_at: datetime | None = None


class Steps(BaseModel):
    """What has happened."""

    paid: bool
    token_issued: bool
    token_shown: bool
    invoice: Literal["pending", "sent", "delayed"] | None = Field(
        None, description="`delayed` is one that could not be delivered yet; operators see why"
    )
    invoice_number: str | None = None


class AttemptOut(BaseModel):
    """An attempt to pay."""

    status: str
    error_description: str | None = None


class EventOut(BaseModel):
    """A line of the history."""

    at: datetime
    what: str


class OrderOut(BaseModel):
    """An order, for its buyer."""

    order_id: str
    status: Status
    plan: str
    title: str
    days: int
    price: PriceOut
    created_at: datetime
    livemode: bool | None
    steps: Steps
    attempts: list[AttemptOut]
    razorpay: RazorpayOut | None = Field(None, description="While it can be paid")
    history: list[EventOut]


class AgainIn(_Strict):
    """Proof of the order's address, for the purpose `token`."""

    verification: Verification


class TokenOut(BaseModel):
    """The premium token."""

    token: str
    expires_at: datetime


@router.get("/order", include_in_schema=False)
async def page() -> RedirectResponse:
    """Where people buy."""
    return RedirectResponse("/pay.html")


@router.get("/order/plans", response_model_exclude_none=True, responses=responses(503))
async def plans(state: StateDep) -> PlanList:
    """List what is sold, and why something is not at the moment."""
    about = await _about(state)
    return PlanList(
        items=[_plan_out(offer) for offer in await state.offers.all()],
        livemode=about.livemode if about else None,
        sandbox=about.checkout_url.startswith("/") if about else None,
        inbox=state.settings.inbox_url,
    )


@router.post("/order/quote", responses=responses(400, 404, 413, 422))
async def quote(body: QuoteIn, state: StateDep) -> QuoteOut:
    """What a plan costs a buyer from somewhere, with the taxes in it."""
    plan = _plan(state, body.plan)
    check_place(body.buyer, state.market)
    return QuoteOut(price=_price_out(_price(state, plan, body.buyer)))


@router.post(
    "/create-order", status_code=201, responses=responses(400, 401, 404, 409, 413, 422, 503)
)
async def create_order(
    body: CreateIn,
    state: StateDep,
    idempotency_key: Annotated[str, Header(pattern=r"^[A-Za-z0-9_-]{8,100}$")],
) -> CreatedOut:
    """Make an order that can be paid; the same `Idempotency-Key` gives the same one."""
    address = state.verifications.read(body.verification, "buy")
    plan = _plan(state, body.plan)
    buyer = check_buyer(body.buyer, state.market)
    offer = await state.offers.one(body.plan)
    if offer is None or offer.reason is not None:
        reason = "" if offer is None else offer.reason
        raise Problem(
            f"This plan can't be bought at the moment. {reason}",
            status=409,
            code="plan_unavailable",
        )
    cost = _price(state, plan, body.buyer)
    seller = state.market.seller_for(buyer.country)
    wish = Wish(address, offer, buyer, seller, cost, idempotency_key)
    order = await state.buying.create(wish)
    razorpay = _razorpay(order, await state.buying.about())
    if razorpay is None:
        raise AssertionError("what was created has an order at Razorpay")
    return CreatedOut(
        order_id=order.id,
        order_secret=state.buying.secret(order.id),
        price=_price_out(order.price),
        razorpay=razorpay,
        livemode=order.livemode is True,
    )


@router.post(
    "/verify-payment",
    response_model_exclude_none=True,
    responses=responses(400, 403, 404, 413, 422, 503),
)
async def verify_payment(body: PaidIn, state: StateDep) -> PaidOut:
    """Take in what Razorpay's checkout gave the page. The token is shown here once."""
    order = await state.buying.order(body.order_id, body.order_secret)
    brought = CheckIn(
        razorpay_order_id=body.razorpay_order_id,
        razorpay_payment_id=body.razorpay_payment_id,
        razorpay_signature=body.razorpay_signature,
    )
    order, token = await state.buying.paid(order, brought)
    return PaidOut(
        status=machine.status(order),
        token=token.token if token else None,
        expires_at=token.expires_at if token else None,
    )


@router.get(
    "/order/{order_id}",
    response_model_exclude_none=True,
    responses=responses(401, 404, 422, 503),
)
async def show_order(
    order_id: OrderId, state: StateDep, authorization: Annotated[str | None, Header()] = None
) -> OrderOut:
    """Show an order to who sends its secret as `Authorization: Bearer …`."""
    _, secret = get_authorization_scheme_param(authorization)
    order = await state.buying.order(order_id, secret)
    invoice = order.outbox.get(outbox.PAID)
    return OrderOut(
        order_id=order.id,
        status=machine.status(order),
        plan=order.plan.id,
        title=order.plan.title,
        days=order.plan.days,
        price=_price_out(order.price),
        created_at=_moment(order.created_at),
        livemode=order.livemode,
        steps=Steps(
            paid=order.paying is not None,
            token_issued=order.token == "issued",  # noqa: S105 - a state
            token_shown=order.token_shown,
            invoice=_INVOICE[invoice.state] if invoice else None,
            invoice_number=invoice.number if invoice else None,
        ),
        attempts=[
            AttemptOut(status=one.status, error_description=one.error_description)
            for one in order.payments.values()
        ],
        razorpay=None if order.paying else _razorpay(order, await _about(state)),
        history=[EventOut(at=_moment(one.at), what=one.what) for one in order.history],
    )


@router.post("/order/{order_id}/token", responses=responses(400, 401, 404, 409, 413, 422, 503))
async def give_token_again(order_id: OrderId, body: AgainIn, state: StateDep) -> TokenOut:
    """Give the order's token again, to who has proved its address for that."""
    address = state.verifications.read(body.verification, "token", order_id)
    token = await state.buying.give_again(order_id, address)
    return TokenOut(token=token.token, expires_at=token.expires_at)


def _plan(state: State, name: str) -> Plan:
    found = state.offers.plan(name)
    if found is None:
        text = "there is no such plan"
        raise InvalidRequest(
            f"The request is not valid: plan: {text}.",
            errors=[FieldError(field="plan", message=text)],
        )
    return found


def _price(state: State, plan: Plan, place: PlaceIn) -> Price:
    return state.market.price(plan.price, plan.tax, place.country, place.state)


def _plan_out(offer: Offer) -> PlanOut:
    plan = offer.plan
    return PlanOut(
        id=offer.id,
        title=plan.title,
        notes=plan.notes,
        price=plan.price,
        currency=CURRENCY,
        days=plan.days,
        limits=plan.limits,
        available=offer.reason is None,
        reason=offer.reason,
    )


def _price_out(cost: Price) -> PriceOut:
    return PriceOut(
        total=cost.total,
        taxable=cost.taxable,
        taxes=[
            TaxOut(name=tax.name, rate_percent=tax.rate / 100, amount=tax.amount)
            for tax in cost.taxes
        ],
        currency=cost.currency,
    )


async def _about(state: State) -> About | None:
    try:
        return await state.buying.about()
    except Problem:
        return None


def _razorpay(order: Order, about: About | None) -> RazorpayOut | None:
    if order.razorpay_order_id is None or order.key_id is None or about is None:
        return None
    return RazorpayOut(
        order_id=order.razorpay_order_id,
        amount=order.price.total,
        currency=order.price.currency,
        key_id=order.key_id,
        checkout_url=about.checkout_url,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
