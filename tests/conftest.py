"""The whole fleet, started once for all tests that span services."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tracemypods.local.fleet import Fleet


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet of this test run's own: data, ports, a real model."""
    # Whether a store answers, a question is looked up, or an answer kept, in time is no matter of a
    # busy machine here.
    patient = {
        "TRACEMYPODS_REDIS_ANSWER_SECONDS": "5",
        "TRACEMYPODS_MONGO_ANSWER_SECONDS": "5",
        "TRACEMYPODS_ASK_CONNECT_SECONDS": "5",
        "TRACEMYPODS_ASK_PROBE_SECONDS": "5",
        "TRACEMYPODS_ASK_SILENCE_SECONDS": "10",
        "TRACEMYPODS_ASK_SEMANTIC_LOOK_UP_SECONDS": "60",
        "TRACEMYPODS_ASK_SEMANTIC_CALL_SECONDS": "60",
        # What was killed had invoices in hand, and what was told, forgotten: soon found here.
        "TRACEMYPODS_ORDER_FIRST_LOOK_SECONDS": "2",
        "TRACEMYPODS_ORDER_RESEND_SECONDS": "3",
        "TRACEMYPODS_DELIVER_LEASE_SECONDS": "5",
    }
    with Fleet(tmp_path_factory.mktemp("fleet"), environment=patient) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def site(fleet: Fleet) -> str:
    """The address of the gateway."""
    return fleet.url().rstrip("/")


@pytest.fixture
def token(site: str) -> str:
    """A free token, from where a person gets one."""
    return httpx2.post(f"{site}/api/token").json()["token"]
