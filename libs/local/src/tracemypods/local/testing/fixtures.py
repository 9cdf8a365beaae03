"""Fixtures that tests across the repository use (the root conftest.py loads them)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracemypods.local.testing.mongo import Mongo
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


@pytest.fixture(scope="session")
def shared_mongo() -> Iterator[Mongo]:
    """One server for all tests of a run."""
    with Mongo() as mongo:
        yield mongo


@pytest.fixture
def mongo(shared_mongo: Mongo) -> Iterator[Mongo]:
    """A running MongoDB with a database of the test's own, whatever the test does to it."""
    shared_mongo.resume()
    shared_mongo.start()
    shared_mongo.use_new_database()
    yield shared_mongo
    shared_mongo.resume()
    shared_mongo.start()
    shared_mongo.drop_database()
