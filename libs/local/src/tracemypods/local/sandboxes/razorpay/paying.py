"""What happens when somebody pays, whether in the checkout or through a control route."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from tracemypods.local.sandboxes.razorpay.entities import Payment
from tracemypods.local.sandboxes.razorpay.faults import ApiFault, ArmedFault, PayFault
from tracemypods.local.sandboxes.razorpay.payments import FAILURE, Payer
from tracemypods.local.sandboxes.razorpay.signatures import payment_signature
from tracemypods.local.sandboxes.razorpay.state import State

Outcome = Literal["success", "failure"]

_API_FAULTS = {PayFault.HTTP_500: ApiFault.HTTP_500, PayFault.TIMEOUT: ApiFault.TIMEOUT}


@dataclass(frozen=True)
class Paid:
    """What became of it."""

    payment: Payment
    payload: dict[str, Any] | None
    """What Razorpay's checkout hands to the page; None when the page is gone."""


def pay(
    state: State,
    order_id: str,
    outcome: Outcome,
    *,
    faults: Collection[PayFault] = (),
    fault_calls: int = 1,
    payer: Payer | None = None,
) -> Paid:
    """Pay an order, or fail to. Raises ApiError when the order takes no payment.

    `fault_calls` is how many calls of the API the faults http_500 and timeout meet.
    """
    payer = payer or Payer()
    late = PayFault.LATE_AUTHORISATION in faults
    succeed = outcome == "success" and not late
    payment = state.payments.attempt(order_id, payer, succeed=succeed, faults=faults)
    if PayFault.DOUBLE_PAYMENT in faults and succeed:
        state.payments.attempt(order_id, payer, succeed=True, faults=faults)
    if late:
        state.late.plan(payment["id"])
    for fault, of_api in _API_FAULTS.items():
        if fault in faults:
            about = frozenset({order_id, payment["id"]})
            state.faults.arm(ArmedFault(of_api, fault_calls, about=about))
    if PayFault.CLOSED_TAB in faults:
        return Paid(payment, None)
    return Paid(payment, success(state, payment) if succeed else failure(payment))


def success(state: State, payment: Payment) -> dict[str, Any]:
    """What `handler` is called with (payments, web integration, step 1.3)."""
    secret = state.settings.key_secret.get_secret_value()
    return {
        "razorpay_payment_id": payment["id"],
        "razorpay_order_id": payment["order_id"],
        "razorpay_signature": payment_signature(payment["order_id"], payment["id"], secret),
    }


def failure(payment: Payment) -> dict[str, Any]:
    """What listeners of `payment.failed` are called with."""
    metadata = {"payment_id": payment["id"], "order_id": payment["order_id"]}
    return {"error": {**FAILURE, "field": None, "metadata": metadata}}
