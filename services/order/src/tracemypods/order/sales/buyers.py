"""Checking what a buyer says of themselves."""

from __future__ import annotations

import re
import unicodedata

from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.gst import STATES, gstin_problem
from tracemypods.kit.errors import FieldError, InvalidRequest
from tracemypods.order.orders.order import Buyer
from tracemypods.order.sales.market import INDIA, Market

LONGEST_NAME = 120


class PlaceIn(BaseModel):
    """Where a buyer is, which decides the tax."""

    model_config = ConfigDict(extra="forbid")

    country: str = Field(description="ISO 3166-1 alpha-2, such as IN")
    state: str | None = Field(default=None, description="For India the two-digit GST state code")
    gstin: str | None = Field(default=None, description="Of a buyer who is registered for GST")


class BuyerIn(PlaceIn):
    """Who buys."""

    name: str = Field(description="For the invoice")


def check_place(place: PlaceIn, market: Market) -> None:
    """Check where a buyer is. Raises InvalidRequest with every field that is wrong."""
    _refuse(_place_problems(place, market))


def check_buyer(buyer: BuyerIn, market: Market) -> Buyer:
    """Check a buyer. Raises InvalidRequest with every field that is wrong."""
    name = " ".join(unicodedata.normalize("NFC", buyer.name).split())
    problems = _place_problems(buyer, market)
    if not name or len(name) > LONGEST_NAME:
        problems.append(("name", f"a name has 1 to {LONGEST_NAME} characters"))
    elif any(unicodedata.category(one)[0] == "C" for one in name):
        problems.append(("name", "it has characters that cannot be printed"))
    _refuse(problems)
    return Buyer(name=name, country=buyer.country, state=buyer.state, gstin=buyer.gstin)


def _place_problems(place: PlaceIn, market: Market) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if refused := market.problem(place.country, place.state):
        problems.append(refused)
    if not re.fullmatch(r"[A-Z]{2}", place.country):
        problems = [("country", "send two capital letters, such as IN")]
    elif place.country != INDIA:
        if place.state is not None:
            problems.append(("state", "only for India"))
        if place.gstin is not None:
            problems.append(("gstin", "only for India"))
        return problems
    if place.state not in STATES:
        problems = [("state", "send the two digits of an Indian state's GST code")]
    if place.gstin is not None:
        problem = gstin_problem(place.gstin)
        if problem is not None:
            problems.append(("gstin", problem))
        elif place.gstin[:2] != place.state:
            problems.append(("gstin", "it is of another state than the one that you chose"))
    return problems


def _refuse(problems: list[tuple[str, str]]) -> None:
    if problems:
        errors = [FieldError(field=f"buyer.{name}", message=text) for name, text in problems]
        named = "; ".join(f"{one.field}: {one.message}" for one in errors)
        raise InvalidRequest(f"The request is not valid: {named}.", errors=errors)
