"""What several tests of the vector service share."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from tracemypods.contracts.vectors import KINDS, Collection
from tracemypods.kit.clock import Clock
from tracemypods.kit.internal import EdgeKeys, edge_variable
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.waiting import until
from tracemypods.vector.app import create_app
from tracemypods.vector.settings import Settings
from tracemypods.vector.stores.store import Store

ASK_KEY = SecretStr("ask-to-vector-" + "k" * 32)
EDGE_KEYS = {"ask": ASK_KEY}

SMALL = Collection("answers", "test.float32", 4)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
NOW_MILLISECONDS = int(NOW.timestamp() * 1000)
HOUR = 3_600_000

LABELS = dict.fromkeys(KINDS["answers"], "x")


def labels(**some: str) -> dict[str, str]:
    """All labels of an answer."""
    return {**LABELS, **some}


def point(identifier: int | str, vector: Sequence[float] | str, **fields: Any) -> dict[str, Any]:
    """A point as it is sent, for an hour."""
    return {
        "id": identifier,
        "vector": vector,
        "labels": LABELS,
        "payload": {"question": "Why?", "answer": f"Because of {identifier}."},
        "stored_at": NOW_MILLISECONDS,
        "expires_at": NOW_MILLISECONDS + HOUR,
        **fields,
    }


class Caller:
    """Ask, as it calls one collection."""

    def __init__(self, client: httpx2.Client, collection: str = SMALL.name) -> None:
        self.client = client
        self.collection = collection

    def call(self, what: str, **body: Any) -> httpx2.Response:
        return self.client.post(f"/api/vector/{self.collection}/{what}", json=body)

    def upsert(self, *points: dict[str, Any]) -> None:
        answer = self.call("upsert", points=points)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"stored": len({one["id"] for one in points})}

    def search(self, vector: Sequence[float] | str, **fields: Any) -> list[dict[str, Any]]:
        answer = self.call("search", vector=vector, **{"labels": LABELS, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def ids(self, vector: Sequence[float] | str, **fields: Any) -> list[Any]:
        return [one["id"] for one in self.search(vector, **fields)]

    def listed(self, **body: Any) -> Any:
        answer = self.call("list", **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, **body: Any) -> int:
        answer = self.call("delete", **body)
        assert answer.status_code == 200, answer.text
        return answer.json()["deleted"]


@contextmanager
def serve(
    folder: Path,
    clock: Clock | None = None,
    store: Store | None = None,
    *,
    wait: bool = True,
    **settings: Any,
) -> Generator[httpx2.Client]:
    """The service in this process, with its data and operators in a folder; ask as its caller."""
    values: dict[str, Any] = {"mode": Mode.LOCAL, "data_dir": folder / "data", **settings}
    app = create_app(Settings(**values), clock or MovableClock(NOW), store)
    app.state.edge_keys = EdgeKeys(EDGE_KEYS)
    app.state.operator_keys = OperatorKeys(folder / "tracemypods_operator_keys")
    with ServedApp(app) as served, caller(served.url, ASK_KEY.get_secret_value()) as client:
        if wait:
            when_ready(client)
        yield client


class Alone(Replica):
    """The service as a process of its own, with its data in a folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        own = {
            "TRACEMYPODS_VECTOR_DATA_DIR": str(folder / "data"),
            edge_variable("ask", "vector"): ASK_KEY.get_secret_value(),
        }
        super().__init__("vector", {**own, **settings})

    def caller(self) -> httpx2.Client:
        """Ask, as its caller."""
        return caller(self.url, ASK_KEY.get_secret_value())


def when_ready(client: httpx2.Client) -> None:
    """Wait until the service has opened its store."""
    until(lambda: client.get("/readyz").status_code == 200)


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document that an answer has to be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["code"] == code, found
    return found
