"""`/internal/payments/…`: what order has Razorpay asked for."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tracemypods.contracts.payments import (
    ABOUT_PATH,
    CHECK_PATH,
    CREATE_PATH,
    REFUND_PATH,
    About,
    CheckIn,
    Created,
    CreateIn,
    PaymentFact,
    RefundFact,
    RefundIn,
)
from tracemypods.kit.errors import responses
from tracemypods.kit.internal import calls_from
from tracemypods.payment.problems import PaymentUnknown, SignatureInvalid, problem_of
from tracemypods.payment.razorpay.errors import RazorpayError, RazorpayFailure
from tracemypods.payment.razorpay.signatures import is_payment_signed
from tracemypods.payment.state import StateDep

router = APIRouter(tags=["internal"], dependencies=[Depends(calls_from("order"))])


@router.get(ABOUT_PATH, responses=responses(401, 403))
async def about(state: StateDep) -> About:
    """Tell whether money is real here, and which script opens the checkout."""
    return About(livemode=state.settings.livemode, checkout_url=state.settings.checkout_url)


@router.post(CREATE_PATH, responses=responses(401, 403, 409, 422, 503))
async def create_order(body: CreateIn, state: StateDep) -> Created:
    """Make an order at Razorpay. A repeated receipt is the same order."""
    return await state.orders.create(body)


@router.post(CHECK_PATH, responses=responses(401, 403, 404, 422, 503))
async def check_payment(body: CheckIn, state: StateDep) -> PaymentFact:
    """Check what a browser brought back, and tell what Razorpay says of the payment.

    A signature covers neither amount nor status, so the payment itself is asked for.
    """
    signed = is_payment_signed(
        body.razorpay_order_id,
        body.razorpay_payment_id,
        body.razorpay_signature,
        state.settings.key_secret,
    )
    if not signed:
        raise SignatureInvalid("This signature is not Razorpay's for that order and payment.")
    try:
        payment = await state.razorpay.payment(body.razorpay_payment_id)
    except RazorpayFailure as error:
        if isinstance(error, RazorpayError) and error.unknown_id:
            raise _unknown() from None
        state.metrics.razorpay_failures.labels("check").inc()
        raise problem_of(error) from None
    if payment.order_id != body.razorpay_order_id:
        raise _unknown()
    return payment.fact(state.settings.livemode)


@router.post(REFUND_PATH, responses=responses(401, 403, 409, 422, 503))
async def refund(body: RefundIn, state: StateDep) -> RefundFact:
    """Have money given back. A repeated refund id is the same refund."""
    return await state.refunds.refund(body)


def _unknown() -> PaymentUnknown:
    return PaymentUnknown("Razorpay has no such payment of this order.")
