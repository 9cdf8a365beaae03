"""`/local/inbox/faults`: makes the mail server fail, for whoever has the sandboxes' key."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, SecretStr

from tracemypods.kit.errors import responses
from tracemypods.local.sandboxes.guard import from_this_machine, with_key
from tracemypods.local.sandboxes.mail.faults import Fault, Faults

PATH = "/local/inbox/faults"


class FaultState(BaseModel):
    """The fault that holds, and for how many more messages when it is not for all."""

    fault: Fault | None
    left: int | None


def fault_router(faults: Faults, key: SecretStr) -> APIRouter:
    """The routes."""
    router = APIRouter(
        prefix=PATH,
        tags=["faults"],
        dependencies=[Depends(from_this_machine), Depends(with_key(key))],
        responses=responses(401, 403),
    )

    def state() -> FaultState:
        return FaultState(fault=faults.fault, left=faults.left if faults.fault else None)

    @router.get("")
    async def show() -> FaultState:
        """What fails now."""
        return state()

    @router.put("", responses=responses(422))
    async def begin(fault: Fault) -> FaultState:
        """Fail from the next message on."""
        faults.set(fault)
        return state()

    @router.delete("", status_code=204)
    async def lift() -> None:
        """Fail no more; what hangs goes on."""
        faults.set(None)

    return router
