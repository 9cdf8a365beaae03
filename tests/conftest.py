"""The whole fleet, started once for all tests that span services."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tracemypods.local.fleet import Fleet


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet of this test run's own: data, ports, a real model."""
    with Fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def site(fleet: Fleet) -> str:
    """The address of the gateway."""
    return fleet.url().rstrip("/")


@pytest.fixture
def token(site: str) -> str:
    """A free token, from where a person gets one."""
    return httpx2.post(f"{site}/api/token").json()["token"]
