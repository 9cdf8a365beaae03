"""The time left for a request: taken from the caller, kept to, and handed on."""

from __future__ import annotations

import asyncio

import pytest

from tracemypods.kit import deadlines


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-5", "1.5", "9" * 9, "9" * 50, "\u0665", " 5"]
)
def test_what_is_no_time_is_no_deadline(header: str | None) -> None:
    async def run() -> None:
        deadlines.set_time_left(header)
        assert deadlines.time_left() is None
        assert deadlines.header_value() is None
        assert deadlines.at_most(3.0) == 3.0
        assert deadlines.at_most(None) is None

    asyncio.run(run())


def test_a_deadline_shortens_timeouts_and_is_handed_on() -> None:
    async def run() -> None:
        deadlines.set_time_left("5000")
        left = deadlines.time_left()
        assert left is not None
        assert 0 < left <= 5
        assert deadlines.at_most(1.0) == 1.0
        shortened = deadlines.at_most(60.0)
        assert shortened is not None
        assert shortened <= 5
        assert deadlines.at_most(None) is not None
        value = deadlines.header_value()
        assert value is not None
        assert 0 < int(value) <= 5000

    asyncio.run(run())


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    async def run() -> None:
        deadlines.set_time_left("0")
        assert deadlines.time_left() == 0.0
        assert deadlines.header_value() == "0"

    asyncio.run(run())
