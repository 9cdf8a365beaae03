"""The checkout: a script with the interface of Razorpay's checkout.js, and the page that it shows.

The page runs in a frame of ours. It needs no key: it is given a nonce for one attempt to pay one
order, and only our own pages can ask for one (see access.check_site).
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tracemypods.kit.errors import Problem, ProblemDocument
from tracemypods.local.sandboxes.razorpay import validation
from tracemypods.local.sandboxes.razorpay.errors import ApiError
from tracemypods.local.sandboxes.razorpay.faults import PayFault
from tracemypods.local.sandboxes.razorpay.paying import Outcome, pay
from tracemypods.local.sandboxes.razorpay.payments import Payer
from tracemypods.local.sandboxes.razorpay.state import OurSite, State

PAGE = Path(__file__).parent / "page"

_SCRIPT = "text/javascript"
_FILES = {
    "/local/razorpay/checkout": ("checkout.html", "text/html"),
    "/local/razorpay/closed": ("closed.html", "text/html"),
    "/local/razorpay/frame.js": ("frame.js", _SCRIPT),
    "/local/razorpay/frame.css": ("frame.css", "text/css"),
    "/local/razorpay/checkout.js": ("checkout.js", _SCRIPT),
    "/v1/checkout.js": ("checkout.js", _SCRIPT),
}

router = APIRouter(tags=["checkout"])


def page_headers(site_origins: tuple[str, ...]) -> dict[str, str]:
    """What keeps the pages safe: nothing inline or from elsewhere, framed by the site alone."""
    return {
        "Content-Security-Policy": "; ".join(
            [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "connect-src 'self'",
                "form-action 'none'",
                "base-uri 'none'",
                " ".join(["frame-ancestors 'self'", *site_origins]),
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            ]
        )
    }


async def serve_file(request: Request) -> Response:
    """One of the page's files."""
    name, media_type = _FILES[request.url.path]
    return FileResponse(PAGE / name, media_type=media_type, headers={"Cache-Control": "no-cache"})


for _path in _FILES:
    router.add_route(_path, serve_file, include_in_schema=False)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Open(_Body):
    """What a page says when it opens the checkout."""

    key: str = Field(max_length=64)
    order_id: str = Field(max_length=64)


class Opened(BaseModel):
    """What the checkout shows. `amount` is in paise."""

    nonce: str
    amount: int
    currency: str
    status: str
    livemode: Literal[False] = False


class Attempt(_Body):
    """What the person has chosen."""

    nonce: str = Field(max_length=64)
    outcome: Outcome
    close_tab: bool = False
    description: str | None = Field(None, max_length=255)
    email: str | None = Field(None, max_length=254)
    contact: str | None = Field(None, max_length=32)
    notes: dict[str, str] = Field({}, max_length=validation.MAX_NOTES)


class Attempted(BaseModel):
    """What the page is told: its payload, and the nonce of a further attempt after a failure."""

    payload: dict[str, Any] | None
    nonce: str | None = None


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument} for status in (403, 409, 422)
}


@router.post("/local/razorpay/checkout/open", responses=_ERRORS)
async def open_checkout(asked: Open, state: OurSite) -> Opened:
    """Begin: a nonce, and what the order is about.

    Raises Problem `checkout_refused` (409) for another key or an order that there is none of.
    """
    try:
        if not hmac.compare_digest(asked.key.encode(), state.settings.key_id.encode()):
            raise ApiError("The api key provided is invalid")
        order = state.orders.get(asked.order_id)
    except ApiError as error:
        raise _refusal(error) from None
    return Opened(
        nonce=state.nonces.give(order["id"]),
        amount=order["amount"],
        currency=order["currency"],
        status=order["status"],
    )


@router.post("/local/razorpay/checkout/pay", responses=_ERRORS)
async def attempt(asked: Attempt, state: OurSite) -> Attempted:
    """Pay, or let the payment fail.

    Raises Problem `checkout_expired` (403), and `checkout_refused` (409) when the order takes no
    payment.
    """
    order_id = state.nonces.use(asked.nonce)
    faults = {PayFault.CLOSED_TAB} if asked.close_tab else set[PayFault]()
    try:
        payer = Payer(asked.email, asked.contact, asked.description, validation.notes(asked.notes))
        paid = pay(state, order_id, asked.outcome, faults=faults, payer=payer)
    except ApiError as error:
        raise _refusal(error) from None
    return Attempted(payload=paid.payload, nonce=_another(state, order_id, asked.outcome))


def _another(state: State, order_id: str, outcome: Outcome) -> str | None:
    return state.nonces.give(order_id) if outcome == "failure" else None


def _refusal(error: ApiError) -> Problem:
    return Problem(str(error), status=409, code="checkout_refused")
