"""A served vector service on each of the engines, whose clock the test moves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient
from vector_service import NOW, Caller, serve

from tracemypods.contracts.vectors import Collection, parse_name
from tracemypods.local.testing.clock import MovableClock
from tracemypods.vector.stores.server import ServerStore
from tracemypods.vector.stores.store import Store, unknown

ResultT = TypeVar("ResultT")

TEST_URL = os.environ.get("TRACEMYPODS_TEST_QDRANT_URL")

# The client's own local mode stands in for a server: it shows that what is asked of the client is
# right, and nothing about a server.
ENGINES = ["embedded", "client", "server"]


class StandIn(ServerStore):
    """A store on the client's local mode, which has an error of its own for one thing."""

    async def _do(self, call: Awaitable[ResultT], collection: Collection | None = None) -> ResultT:
        try:
            return await super()._do(call, collection)
        except ValueError as error:
            if collection is not None and "not found" in str(error):
                raise unknown(collection.name) from None
            raise


MakeService = Callable[..., httpx2.Client]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture
def make_service(
    tmp_path: Path, clock: MovableClock, operators_file: Path
) -> Iterator[MakeService]:
    """Serve the service with settings of the test's choice; returns ask as its caller."""
    with ExitStack() as stack:

        def make(store: Store | None = None, **settings: Any) -> httpx2.Client:
            return stack.enter_context(serve(operators_file.parent, clock, store, **settings))

        yield make


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What `make_service` takes for each engine in turn."""
    if request.param == "embedded":
        yield {}
    elif request.param == "client":
        # It says that it makes no indexes, and that it is not made for many entries.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client = AsyncQdrantClient(location=":memory:")
            yield {"store": StandIn(client, seconds=10, max_collections=16)}
    elif TEST_URL is None:
        pytest.skip("TRACEMYPODS_TEST_QDRANT_URL names no server")
    else:
        yield {"qdrant_url": TEST_URL, "store_seconds": 10}
        _delete_ours(TEST_URL)


@pytest.fixture
def ask(make_service: MakeService, engine: dict[str, Any]) -> Caller:
    """Ask, as a caller of the service on each engine in turn."""
    return Caller(make_service(**engine))


def _delete_ours(url: str) -> None:
    client = QdrantClient(url=url)
    for one in client.get_collections().collections:
        try:
            name = parse_name(one.name).name
        except ValueError:
            continue
        client.delete_collection(name)
    client.close()
