"""Stores and embedding services that are away, hung, slow or wrong: named answers, and soon."""

from __future__ import annotations

import base64
import socket
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from vector_service import LABELS, Caller, point, problem, serve, when_ready

from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.contracts.vectors import Collection
from tracemypods.kit.http import HttpClient
from tracemypods.local.testing.http_stub import Answer, Asked, HttpStub
from tracemypods.vector import app as vector_app
from tracemypods.vector.stores.embedded import EmbeddedStore

MakeService = Callable[..., httpx2.Client]

NORTH = [1.0, 0.0, 0.0, 0.0]
SEARCH: dict[str, Any] = {"vector": NORTH, "labels": LABELS}
SPACE = Collection("answers", "test.float32", 4)


class Qdrant(HttpStub):
    """A server that gives each call one status after some seconds, or breaks it off.

    Collections are listed as a real one does, so that the service starts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = 200
        self.seconds = 0.0
        self.respond = self._respond

    def _respond(self, asked: Asked) -> Answer | None:
        if asked.method == "GET":
            return 200, {"result": {"collections": []}, "status": "ok", "time": 0}
        time.sleep(self.seconds)
        if self.status is None:
            return None
        return self.status, {"status": {"error": "it is so"}, "time": 0}


@pytest.fixture
def qdrant() -> Iterator[Qdrant]:
    with Qdrant() as qdrant:
        yield qdrant


@pytest.fixture
def ask(make_service: MakeService, qdrant: Qdrant) -> Caller:
    return Caller(make_service(qdrant_url=qdrant.url, store_seconds=2))


def soon(ask: Caller, status: int, code: str, what: str = "search", **body: Any) -> None:
    """It fails with that code; the caller's own time limit would end a wait in vain."""
    problem(ask.call(what, **(body or SEARCH)), status, code)


def test_a_servers_statuses_have_names(ask: Caller, qdrant: Qdrant) -> None:
    for status, expected, code in (
        (404, 404, "collection_unknown"),
        (500, 503, "vector_store_failed"),
        (503, 503, "vector_store_failed"),
        (401, 503, "vector_store_failed"),
        (429, 503, "vector_store_failed"),
    ):
        qdrant.status = status
        soon(ask, expected, code)


def test_a_server_that_breaks_off_or_hangs(ask: Caller, qdrant: Qdrant) -> None:
    qdrant.status = None
    soon(ask, 503, "vector_store_down")
    qdrant.seconds = 5
    soon(ask, 503, "vector_store_timeout")
    soon(ask, 503, "vector_store_timeout", "upsert", points=[point(1, NORTH)])


def test_a_server_that_is_stopped(ask: Caller, qdrant: Qdrant) -> None:
    qdrant.stop()
    soon(ask, 503, "vector_store_down")
    answer = ask.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == {"store": "Unavailable"}


def test_a_server_that_was_never_there(make_service: MakeService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    ask = Caller(make_service(qdrant_url=url, wait=False))
    when_tried(ask)
    soon(ask, 503, "vector_store_down")
    assert ask.client.get("/livez").status_code == 200
    assert ask.client.get("/readyz").status_code == 503


def when_tried(ask: Caller) -> None:
    """Wait until the service has tried to open its store."""
    give_up = time.monotonic() + 10
    while ask.call("search", **SEARCH).json()["code"] == "vector_store_not_ready":
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    with serve(tmp_path) as first:
        Caller(first).upsert(point(1, NORTH))
        with serve(tmp_path, wait=False) as second:
            when_tried(Caller(second))
            soon(Caller(second), 503, "vector_store_locked")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with serve(tmp_path, wait=False) as client:
        when_tried(Caller(client))
        soon(Caller(client), 503, "vector_store_failed")
        (tmp_path / "data").unlink()
        when_ready(client)


def test_a_collection_that_cannot_be_opened_does_not_stop_the_others(
    tmp_path: Path, make_service: MakeService
) -> None:
    with serve(tmp_path) as client:
        Caller(client).upsert(point(1, NORTH))
        Caller(client, "answers.other.4").upsert(point(2, NORTH))
    for file in (tmp_path / "data" / SPACE.name).rglob("*.json"):
        file.write_text("junk")
    with serve(tmp_path) as client:
        soon(Caller(client), 503, "collection_broken")
        soon(Caller(client), 503, "collection_broken", "upsert", points=[point(1, NORTH)])
        assert Caller(client, "answers.other.4").ids(NORTH) == [2]


def test_an_embedded_engine_that_is_slow(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Caller(make_service(store_seconds=2, waiting_calls=2))
    ask.upsert(point(1, NORTH))
    go = threading.Event()
    right = EmbeddedStore._shard  # pyright: ignore[reportPrivateUsage] - what its thread calls

    def slow(self: EmbeddedStore, collection: Collection) -> Any:
        go.wait(60)
        return right(self, collection)

    monkeypatch.setattr(EmbeddedStore, "_shard", slow)
    soon(ask, 503, "vector_store_timeout")
    soon(ask, 503, "vector_store_timeout")
    assert ask.client.get("/livez").status_code == 200
    go.set()
    assert ask.ids(NORTH) == [1]


def test_too_many_calls_are_refused_at_once(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Caller(make_service(store_seconds=60, waiting_calls=1))
    ask.upsert(point(1, NORTH))
    entered, go = threading.Event(), threading.Event()
    right = EmbeddedStore._shard  # pyright: ignore[reportPrivateUsage] - what its thread calls

    def slow(self: EmbeddedStore, collection: Collection) -> Any:
        entered.set()
        go.wait(60)
        return right(self, collection)

    monkeypatch.setattr(EmbeddedStore, "_shard", slow)
    first = threading.Thread(target=lambda: ask.ids(NORTH))
    first.start()
    assert entered.wait(60)
    soon(ask, 503, "vector_store_busy")
    go.set()
    first.join()


@pytest.fixture
def embedding(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpStub]:
    """An embedding service, whose every text is north."""

    def make(_settings: Any) -> EmbeddingClient:
        client = HttpClient(
            "embedding", stub.url, connect=0.5, total=0.5, bearer=SecretStr("k" * 32)
        )
        return EmbeddingClient(client)

    with HttpStub() as stub:
        stub.answer = (200, embedded())
        monkeypatch.setattr(vector_app, "make_embedding", make)
        yield stub


def embedded(space: str = "test.float32", vector: list[float] = NORTH, **fields: Any) -> Any:
    """The embedding service's answer for one text."""
    data = base64.b64encode(array("f", vector).tobytes()).decode()
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    one = {"object": "embedding", "index": 0, "embedding": data, **fields}
    return {"object": "list", "data": [one], "model": "m", "space": space, "usage": usage}


def text_point(text: str) -> dict[str, Any]:
    made = point(1, NORTH)
    del made["vector"]
    return {**made, "text": text}


def test_texts_become_vectors(make_service: MakeService, embedding: HttpStub) -> None:
    ask = Caller(make_service())
    ask.upsert(text_point("Why is the sky blue?"))
    answer = ask.call("search", text="Why is the sky so blue?", labels=LABELS)
    assert [one["id"] for one in answer.json()["items"]] == [1]
    asked = [one.json["input"] for one in embedding.requests]
    assert asked == [["Why is the sky blue?"], ["Why is the sky so blue?"]]
    assert embedding.requests[0].headers["authorization"] == f"Bearer {'k' * 32}"


@pytest.mark.parametrize(
    "answer",
    [embedded("test.int8"), embedded(vector=[1.0, 0.0]), embedded(truncated=True)],
    ids=["another space", "another dimension", "cut off"],
)
def test_a_text_that_has_no_place_here_is_refused(
    make_service: MakeService, embedding: HttpStub, answer: Any
) -> None:
    ask = Caller(make_service())
    ask.upsert(point(1, NORTH))
    embedding.answer = (200, answer)
    found = problem(ask.call("search", text="x", labels=LABELS), 422, "invalid_request")
    assert found["errors"][0]["field"] == "text"
    found = problem(ask.call("upsert", points=[text_point("x")]), 422, "invalid_request")
    assert found["errors"][0]["field"] == "points.0.text"


def test_an_embedding_service_that_fails_is_named(
    make_service: MakeService, embedding: HttpStub
) -> None:
    ask = Caller(make_service())
    ask.upsert(point(1, NORTH))
    embedding.answer = (500, {"nonsense": True})
    soon(ask, 503, "embedding_unavailable", text="x", labels=LABELS)
    assert ask.ids(NORTH) == [1]
