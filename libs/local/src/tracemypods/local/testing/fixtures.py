"""Fixtures that tests across the repository use (the root conftest.py loads them)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracemypods.local.testing.valkey import Valkey


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """One server for all tests of a run."""
    with Valkey() as valkey:
        yield valkey


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Valkey:
    """An empty, running Valkey, whatever the test before has done to it."""
    shared_valkey.resume()
    shared_valkey.start()
    shared_valkey.command("FLUSHALL")
    return shared_valkey
