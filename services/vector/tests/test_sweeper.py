"""Entries that have expired are deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from vector_service import HOUR, NOW_MILLISECONDS, SMALL, Caller, point

from tracemypods.contracts.vectors import Collection
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.waiting import until
from tracemypods.vector.app import create_app
from tracemypods.vector.settings import Settings
from tracemypods.vector.stores.embedded import EmbeddedStore
from tracemypods.vector.stores.store import Kept, Where
from tracemypods.vector.sweeper import sweep

MakeService = Callable[..., httpx2.Client]

NORTH = [1.0, 0.0, 0.0, 0.0]
OTHER = Collection("answers", "other.float32", 4)


def kept(identifier: int, expires_at: int) -> Kept:
    sent = point(identifier, NORTH, expires_at=expires_at)
    return Kept(identifier, NORTH, {key: sent[key] for key in sent.keys() - {"id", "vector"}})


def test_a_sweep_deletes_what_has_expired_and_nothing_else(
    tmp_path: Path, clock: MovableClock
) -> None:
    async def work() -> None:
        settings = Settings.model_validate({"mode": Mode.LOCAL, "data_dir": tmp_path})
        state = create_app(settings, clock).state.vector
        store: EmbeddedStore = state.store
        await state.start()
        hours = [NOW_MILLISECONDS + number * HOUR for number in (1, 2, 3)]
        await store.upsert(SMALL, [kept(number, at) for number, at in enumerate(hours)])
        await store.upsert(OTHER, [kept(7, hours[0])])
        assert await sweep(state) == 0
        clock.move(milliseconds=HOUR - 1)
        assert await sweep(state) == 0
        clock.move(milliseconds=1)
        assert await sweep(state) == 2
        assert await store.get(SMALL, 0) is None
        assert await store.count(SMALL) == 2
        assert await store.count(OTHER) == 0
        clock.move(hours=2)
        assert await sweep(state) == 2
        assert await store.count(SMALL, Where()) == 0
        await store.close()

    asyncio.run(work())


def test_the_service_sweeps_by_itself_and_counts(
    make_service: MakeService, clock: MovableClock
) -> None:
    ask = Caller(make_service(sweep_seconds=0.05))
    ask.upsert(point(1, NORTH), point(2, NORTH, expires_at=NOW_MILLISECONDS + 9 * HOUR))
    clock.move(hours=1)
    wait_for(ask, "vector_expired_entries_total 1.0")
    wait_for(ask, f'vector_entries{{collection="{SMALL.name}"}} 1.0')
    assert ask.ids(NORTH) == [2]


def test_room_is_given_back(tmp_path: Path) -> None:
    """Half of many entries are taken out, and the others are found as before."""

    async def work() -> None:
        store = EmbeddedStore(tmp_path, seconds=10, waiting=10, max_collections=1)
        await store.start()
        for first in range(0, 2400, 400):
            await store.upsert(SMALL, [kept(n, n) for n in range(first, first + 400)])
        assert await store.delete_where(SMALL, Where(expires_until=1199)) == 1200
        await store.tidy()
        assert await store.count(SMALL) == 1200
        found = await store.search(SMALL, NORTH, Where(expires_after=0), 100, None)
        assert len(found) == 100
        assert all(one.document["expires_at"] >= 1200 for one in found)
        await store.close()

    asyncio.run(work())


def test_a_store_that_fails_is_swept_the_next_time(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    failures = 2
    right = EmbeddedStore.delete_where

    async def failing(self: EmbeddedStore, *arguments: Any) -> int:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("It is away.", code="vector_store_down")
        return await right(self, *arguments)

    monkeypatch.setattr(EmbeddedStore, "delete_where", failing)
    ask = Caller(make_service(sweep_seconds=0.05))
    ask.upsert(point(1, NORTH))
    clock.move(hours=1)
    wait_for(ask, "vector_expired_entries_total 1.0")
    wait_for(ask, "vector_failed_sweeps_total 2.0")


def wait_for(ask: Caller, metric: str) -> None:
    until(lambda: f"\n{metric}" in ask.client.get("/metrics").text, metric)
