"""Refused credentials wait their turn once there are too many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter

from tracemypods.kit import pacing
from tracemypods.kit.app import create_service
from tracemypods.kit.errors import Unauthorized
from tracemypods.kit.pacing import Pace
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp


class FakeSleep:
    """Takes no time, and remembers how much was asked for."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


def test_a_burst_passes_and_the_rest_keeps_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = FakeSleep()

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 1000.0)
        monkeypatch.setattr(pacing.asyncio, "sleep", sleep)
        pace = Pace(per_second=8, burst=4)
        for _ in range(9):
            await pace.turn()

    asyncio.run(main())
    # The fifth is on time: it is the first that nothing was saved for.
    assert sleep.waited == pytest.approx([0.125, 0.25, 0.375, 0.5])


def test_what_was_saved_is_no_more_than_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, now = FakeSleep(), 0.0

    async def main() -> None:
        nonlocal now
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        monkeypatch.setattr(pacing.asyncio, "sleep", sleep)
        pace = Pace(per_second=8, burst=1)
        await pace.turn()
        now = 1_000_000.0
        for _ in range(4):
            await pace.turn()

    asyncio.run(main())
    assert sleep.waited == pytest.approx([0.125, 0.25])


def test_only_refused_credentials_are_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    async def turn(_pace: Pace) -> None:
        turns.append("one")

    monkeypatch.setattr(Pace, "turn", turn)
    router = APIRouter()

    @router.get("/secret")
    async def secret() -> None:
        raise Unauthorized("No.", code="token_malformed")

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await Unauthorized("No.", code="token_malformed").response()(scope, receive, send)

    settings = ServiceSettings.model_validate({"mode": Mode.LOCAL})
    app = create_service("token", settings, routers=[router])
    app.make_plain("GET", "/plain", plain, takes_body=False)
    with ServedApp(app) as served, caller(served.url, None) as client:
        statuses = [client.get(path).status_code for path in ("/secret", "/plain", "/livez", "/no")]
        assert statuses == [401, 401, 200, 404]
    assert len(turns) == 2
