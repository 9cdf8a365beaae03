"""Failures of Razorpay as this service answers them.

Problem
├── RazorpayUnavailable  503  it does not answer, or not now
├── RazorpayRefused      409  it will not do what was asked; its own words are in the problem
├── ReceiptDiffers       409  a receipt was used for another amount or currency
├── RefundDiffers        409  a refund's id was used for another payment or amount
├── SignatureInvalid     403  what a browser brought back was not signed by Razorpay
└── PaymentUnknown       404  there is no such payment of this order
"""

from __future__ import annotations

from tracemypods.kit.errors import FieldError, NotFound, Problem, Unavailable
from tracemypods.payment.razorpay.errors import RazorpayError, RazorpayFailure


class RazorpayUnavailable(Unavailable):
    """Razorpay does not answer, or not now."""

    def __init__(self, detail: str = "Razorpay does not answer at the moment.") -> None:
        super().__init__(detail, code="razorpay_unavailable")


class RazorpayRefused(Problem):
    """Razorpay will not do what was asked. `errors` has its code, and its field if it named one."""

    status, code = 409, "razorpay_refused"

    def __init__(self, code: str, description: str, field: str | None) -> None:
        super().__init__(
            f"Razorpay refused: {code}: {description}"[:1000],
            errors=[FieldError(field=field or "", message=f"{code}: {description}"[:1000])],
        )


class ReceiptDiffers(Problem):
    """The receipt was used for another amount, currency or mode."""

    status, code = 409, "receipt_differs"


class RefundDiffers(Problem):
    """The refund's id was used for another payment, amount or mode."""

    status, code = 409, "refund_differs"


class SignatureInvalid(Problem):
    """The signature is not Razorpay's."""

    status, code = 403, "signature_invalid"


class PaymentUnknown(NotFound):
    """There is no such payment of this order."""

    code = "payment_unknown"


def problem_of(failure: RazorpayFailure) -> Problem:
    """The problem that a failed call is answered with."""
    if isinstance(failure, RazorpayError) and failure.refused:
        return RazorpayRefused(failure.code, failure.description, failure.field)
    return RazorpayUnavailable()
