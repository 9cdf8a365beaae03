"""The documented API, `/v1`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracemypods.local.sandboxes.razorpay import orders, payments, refunds, validation
from tracemypods.local.sandboxes.razorpay.entities import RefundStatus, collection
from tracemypods.local.sandboxes.razorpay.errors import (
    GATEWAY_ERROR,
    ApiError,
    Broken,
    UnknownId,
)
from tracemypods.local.sandboxes.razorpay.faults import ApiFault, ArmedFault
from tracemypods.local.sandboxes.razorpay.state import Account, State, of_request

_OF_ALL_CALLS = frozenset({ApiFault.HTTP_500, ApiFault.HTTP_429, ApiFault.TIMEOUT})
_OF_OUTCOMES = frozenset({ApiFault.REFUND_PENDING, ApiFault.REFUND_FAILS})


class FaultyRoute(APIRoute):
    """A route whose calls meet the faults that are armed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler: a fault strikes before it runs, or hides what it has answered."""
        handle = super().get_route_handler()

        async def handle_faultily(request: Request) -> Response:
            state = of_request(request)
            fault = state.faults.take(_OF_ALL_CALLS, request.method, request.url.path)
            if fault is None:
                return await handle(request)
            if fault.after:
                try:
                    await handle(request)
                except ApiError:
                    return await _strike(fault, state, request)
            return await _strike(fault, state, request)

        return handle_faultily


async def _strike(armed: ArmedFault, state: State, request: Request) -> Response:
    """Answer as the fault has it."""
    if armed.fault is ApiFault.HTTP_429:
        return Broken("Too many requests", status=429, code="BAD_REQUEST_ERROR").response()
    if armed.fault is ApiFault.TIMEOUT:
        await state.faults.hang(state.settings.hang_seconds, request.app.state.draining)
        return Broken("The gateway timed out", status=504, code=GATEWAY_ERROR).response()
    return Broken(
        "We are facing some trouble completing your request at the moment. "
        "Please try again shortly.",
        status=500,
    ).response()


router = APIRouter(prefix="/v1", tags=["razorpay"], route_class=FaultyRoute)


@router.post("/orders")
async def create_order(request: Request, state: Account) -> Response:
    given = validation.parse_body(await request.body(), orders.FIELDS)
    return JSONResponse(state.orders.create(given))


@router.get("/orders")
async def list_orders(request: Request, state: Account) -> Response:
    return JSONResponse(collection(state.orders.page(validation.page(request.query_params))))


@router.get("/orders/{order_id}")
async def get_order(order_id: str, state: Account) -> Response:
    return JSONResponse(state.orders.get(order_id))


@router.get("/orders/{order_id}/payments")
async def list_payments_of_order(order_id: str, state: Account) -> Response:
    return JSONResponse(collection(state.orders.payments(order_id)))


@router.get("/payments")
async def list_payments(request: Request, state: Account) -> Response:
    return JSONResponse(collection(state.payments.page(validation.page(request.query_params))))


@router.get("/payments/{payment_id}")
async def get_payment(payment_id: str, state: Account) -> Response:
    return JSONResponse(state.payments.get(payment_id))


@router.post("/payments/{payment_id}/capture")
async def capture_payment(payment_id: str, request: Request, state: Account) -> Response:
    given = validation.parse_body(await request.body(), payments.CAPTURE_FIELDS)
    return JSONResponse(state.payments.capture(payment_id, given))


@router.post("/payments/{payment_id}/refund")
async def refund_payment(
    payment_id: str,
    request: Request,
    state: Account,
    x_refund_idempotency: Annotated[str | None, Header()] = None,
) -> Response:
    given = validation.parse_body(await request.body(), refunds.FIELDS)
    method, path, faults = request.method, request.url.path, state.faults
    with state.refunds.holding(x_refund_idempotency):
        if faults.take(frozenset({ApiFault.REFUND_SLOW}), method, path):
            await faults.hang(state.settings.hang_seconds, request.app.state.draining)
        outcome = faults.take(_OF_OUTCOMES, method, path)
        status: RefundStatus = "processed"
        if outcome is not None:
            status = "failed" if outcome.fault is ApiFault.REFUND_FAILS else "pending"
        refund = state.refunds.create(payment_id, given, key=x_refund_idempotency, status=status)
    return JSONResponse(refund)


@router.get("/payments/{payment_id}/refunds")
async def list_refunds_of_payment(payment_id: str, request: Request, state: Account) -> Response:
    page = validation.page(request.query_params)
    return JSONResponse(collection(state.refunds.of_payment(payment_id, page)))


@router.get("/payments/{payment_id}/refunds/{refund_id}")
async def get_refund_of_payment(payment_id: str, refund_id: str, state: Account) -> Response:
    refund = state.refunds.get(refund_id)
    if refund["payment_id"] != payment_id:
        raise UnknownId
    return JSONResponse(refund)


@router.get("/refunds")
async def list_refunds(request: Request, state: Account) -> Response:
    return JSONResponse(collection(state.refunds.page(validation.page(request.query_params))))


@router.get("/refunds/{refund_id}")
async def get_refund(refund_id: str, state: Account) -> Response:
    return JSONResponse(state.refunds.get(refund_id))


@router.get("/disputes")
async def list_disputes(request: Request, state: Account) -> Response:
    return JSONResponse(collection(state.disputes.page(validation.page(request.query_params))))


@router.get("/disputes/{dispute_id}")
async def get_dispute(dispute_id: str, state: Account) -> Response:
    return JSONResponse(state.disputes.get(dispute_id))
