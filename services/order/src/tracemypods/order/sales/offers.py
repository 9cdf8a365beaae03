"""Which plans can be sold now: those for which ask has a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from tracemypods.kit.http import DependencyError, HttpClient
from tracemypods.order.sales.plans import Plan

MODELS_PATH = "/api/models"
CAN_BE_ASKED = ("ready", "cold")


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    status: str


class _Models(BaseModel):
    model_config = ConfigDict(extra="ignore")

    items: list[_Model]


@dataclass(frozen=True)
class Offer:
    """A plan, and why it is not sold now; `reason` is None for one that is."""

    id: str
    plan: Plan
    reason: str | None


class Offers:
    """The plans and whether they can be honoured."""

    def __init__(self, plans: Mapping[str, Plan], ask: HttpClient) -> None:
        self._plans = plans
        self._ask = ask

    async def all(self) -> list[Offer]:
        """All plans. One whose models nobody can vouch for is not sold."""
        ready = await self._ready()
        if ready is None:  # nothing is lost by asking once more
            ready = await self._ready()
        return [Offer(name, plan, _reason(plan, ready)) for name, plan in self._plans.items()]

    async def _ready(self) -> set[str] | None:
        """The models that can be asked now; None when ask does not say."""
        try:
            status, body = await self._ask.call("GET", MODELS_PATH)
            if status == 200:
                found = _Models.model_validate_json(body)
                return {one.name for one in found.items if one.status in CAN_BE_ASKED}
        except (DependencyError, ValidationError):
            pass
        return None

    async def one(self, name: str) -> Offer | None:
        """One plan; None if there is no such."""
        return next((offer for offer in await self.all() if offer.id == name), None)

    def plan(self, name: str) -> Plan | None:
        """A plan, whether it can be sold or not."""
        return self._plans.get(name)


def _reason(plan: Plan, ready: set[str] | None) -> str | None:
    if ready is None:
        return "Whether its models are ready can't be found out at the moment."
    if ready.intersection(plan.models):
        return None
    return f"None of its models is ready: {', '.join(plan.models)}."
