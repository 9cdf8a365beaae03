"""Fixtures that tests across the repository use (the root conftest.py loads them)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tracemypods.kit.operators import new_key
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import RazorpaySandbox
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import IMPATIENCE_SECONDS, PATIENCE_SECONDS


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """One server for all tests of a run."""
    with Valkey() as valkey:
        yield valkey


def _patience(request: pytest.FixtureRequest) -> int:
    impatient = request.node.get_closest_marker("impatient")  # pyright: ignore[reportUnknownMemberType]
    return IMPATIENCE_SECONDS if impatient else PATIENCE_SECONDS


@pytest.fixture
def valkey(shared_valkey: Valkey, request: pytest.FixtureRequest) -> Valkey:
    """An empty, running Valkey, whatever the test before has done to it."""
    shared_valkey.patience_seconds = _patience(request)
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
def mongo(shared_mongo: Mongo, request: pytest.FixtureRequest) -> Iterator[Mongo]:
    """A running MongoDB with a database of the test's own, whatever the test does to it."""
    shared_mongo.patience_seconds = _patience(request)
    shared_mongo.resume()
    shared_mongo.start()
    shared_mongo.use_new_database()
    yield shared_mongo
    shared_mongo.resume()
    shared_mongo.start()
    shared_mongo.drop_database()


@pytest.fixture(scope="session")
def shared_s3() -> Iterator[S3]:
    """One server for all tests of a run."""
    with S3() as s3:
        yield s3


@pytest.fixture
def s3(shared_s3: S3) -> Iterator[S3]:
    """A running S3, whatever the test does to it; other tests' files may be in its bucket."""
    shared_s3.resume()
    shared_s3.start()
    yield shared_s3
    shared_s3.resume()


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    """An empty embedded broker of the test's own: it starts in a tenth of a second."""
    with Kafka() as broker:
        yield broker


@pytest.fixture
def operators_file(tmp_path: Path) -> Path:
    """Where a service finds the operators' keys."""
    return tmp_path / "tracemypods_operator_keys"


@pytest.fixture
def operator_key(operators_file: Path) -> Callable[..., str]:
    """Make an operator's key with scopes of the test's choice."""

    def make(*scopes: str) -> str:
        key, known = new_key("asha", scopes, datetime(2030, 1, 1, tzinfo=UTC))
        operators_file.write_text(known.model_dump_json() + "\n")
        return key

    return make


@pytest.fixture
def make_razorpay() -> Iterator[Callable[..., RazorpaySandbox]]:
    """Starts Razorpay sandboxes, with settings such as `webhook_url`; they end with the test."""
    with ExitStack() as started:

        def make(**settings: Any) -> RazorpaySandbox:
            return started.enter_context(RazorpaySandbox(**settings))

        yield make
