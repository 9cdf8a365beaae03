"""Fleets for the launcher's own tests: each has data and ports of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from tracemypods.local.fleet import Fleet


class MakeFleet(Protocol):
    """Makes fleets that are stopped when the test ends, however it ends."""

    def __call__(
        self,
        *parts: str,
        at: str = "data",
        port: int | None = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Fleet:
        """A fleet of `parts` whose data is in a folder called `at`; it is not started."""
        ...


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    """See MakeFleet."""
    made: list[Fleet] = []

    def make(
        *parts: str,
        at: str = "data",
        port: int | None = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Fleet:
        fleet = Fleet(tmp_path / at, parts=parts, port=port, environment=environment)
        made.append(fleet)
        return fleet

    yield make
    for fleet in made:
        fleet.stop()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder for the commands' fleet, which is stopped when the test ends."""
    folder = tmp_path / "data"
    yield folder
    Fleet(folder, parts=[]).stop()


def processes_of(fleet: Fleet) -> list[psutil.Process]:
    """Everything that runs for a fleet."""
    current = fleet.state()
    assert current is not None
    return [psutil.Process(process.pid) for process in current.processes()]


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. What has ended and waits to be reaped does not."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
