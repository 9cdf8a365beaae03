"""Health routes: `/livez` (the process runs), `/readyz` (what it needs answers), `/version`."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from tracemypods.kit.settings import Mode

_log = logging.getLogger("tracemypods.health")

Check = Callable[[], Awaitable[object]]
"""Asks one dependency; returns when it is fine and raises what is wrong otherwise."""

CHECK_TIMEOUT_SECONDS = 2.0


class Live(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether the service can do its work, and what is in the way."""

    status: Literal["ready", "not_ready", "stopping"]
    missing: dict[str, str] = {}


class Version(BaseModel):
    """What runs here."""

    service: str
    version: str
    mode: Mode
    python: str


async def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """Ask all dependencies at once; returns those that failed with a short reason."""

    async def ask(name: str, check: Check) -> tuple[str, str | None]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                await check()
        except TimeoutError:
            return name, f"no answer within {CHECK_TIMEOUT_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a driver raises means "not ready"
            _log.warning("dependency failed", extra={"dependency": name, "reason": repr(error)})
            return name, type(error).__name__
        return name, None

    answers = await asyncio.gather(*(ask(name, check) for name, check in checks.items()))
    return {name: reason for name, reason in answers if reason is not None}


def health_router(
    service: str, mode: Mode, checks: Mapping[str, Check], stopping: Callable[[], bool]
) -> APIRouter:
    """The health routes of one service. They are not public: the gateway forwards none."""
    router = APIRouter(tags=["health"])

    @router.get("/livez")
    async def livez() -> Live:
        return Live()

    @router.get("/readyz", responses={503: {"model": Ready}})
    async def readyz(response: Response) -> Ready:
        if stopping():
            response.status_code = 503
            return Ready(status="stopping")
        missing = await run_checks(checks)
        if missing:
            response.status_code = 503
            return Ready(status="not_ready", missing=missing)
        return Ready(status="ready")

    @router.get("/version")
    async def show_version() -> Version:
        return Version(
            service=service,
            version=version(f"tracemypods-{service}"),
            mode=mode,
            python=platform.python_version(),
        )

    return router
