"""The engine `openai`: an API that works, is stopped, hangs, is slow, or answers nonsense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from embedding_service import PATH, ApiStub, vectors, when_ready
from pydantic import SecretStr

MakeService = Callable[..., httpx2.Client]


@pytest.fixture
def api() -> Iterator[ApiStub]:
    with ApiStub() as api:
        yield api


@pytest.fixture
def service(make_service: MakeService, api: ApiStub) -> httpx2.Client:
    """The service before an API, which has two seconds for an answer."""
    return make_service(
        engine="openai",
        openai_url=api.url,
        openai_api_key=SecretStr("sk-theirs"),
        openai_seconds=2,
    )


def test_texts_go_to_the_api_and_its_vectors_come_back(
    service: httpx2.Client, api: ApiStub
) -> None:
    answer = service.post(PATH, json={"input": ["1", "22", "1"]})
    expected = np.array([[1, 3, 4], [2, 3, 4], [1, 3, 4]], np.float32)
    assert vectors(answer) == pytest.approx(
        expected / np.linalg.norm(expected, axis=1, keepdims=True), abs=1e-6
    )
    assert answer.json()["model"] == "text-embedding-3-small"
    assert answer.json()["space"] == "text-embedding-3-small.openai"
    asked = api.requests[-1]
    assert asked.path == "/v1/embeddings"
    assert asked.headers["authorization"] == "Bearer sk-theirs"
    assert asked.json["model"] == "text-embedding-3-small"
    assert sorted(asked.json["input"]) == ["1", "22"]


def test_texts_over_the_window_are_cut_and_marked(service: httpx2.Client, api: ApiStub) -> None:
    answer = service.post(PATH, json={"input": ["x" * 1_000_000]})
    assert answer.json()["data"][0]["truncated"] is True
    assert len(api.requests[-1].json["input"][0]) == 24_000


def failure(service: httpx2.Client, text: str) -> tuple[int, str]:
    answer = service.post(PATH, json={"input": text})
    return answer.status_code, answer.json()["code"]


def test_one_that_hangs_is_named_in_time_and_then_at_once(
    service: httpx2.Client, api: ApiStub
) -> None:
    api.seconds = 5
    assert failure(service, "first") == (503, "embedding_api_timeout")
    asked = len(api.requests)
    assert failure(service, "second") == (503, "embedding_api_timeout")
    assert len(api.requests) == asked  # it was not asked again so soon
    api.seconds = 0
    while service.post(PATH, json={"input": "third"}).status_code != 200:
        pass


def test_one_that_is_slow_but_in_time_is_waited_for(service: httpx2.Client, api: ApiStub) -> None:
    api.seconds = 0.2
    assert service.post(PATH, json={"input": "slow"}).status_code == 200


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_what_it_refuses_is_said(service: httpx2.Client, api: ApiStub, status: int) -> None:
    api.status = status
    answer = service.post(PATH, json={"input": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_api_refused")
    assert str(status) in answer.json()["detail"]
    assert "theirs" not in answer.text


def answer(*embeddings: tuple[int, list[float]]) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": numbers} for index, numbers in embeddings]}


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        [],
        answer((0, [1])),
        answer((0, []), (1, [])),
        answer((0, [1]), (1, [1, 2])),
        answer((0, [0]), (1, [1])),
        answer((0, [1]), (0, [1])),
    ],
)
def test_what_makes_no_sense_is_said(
    service: httpx2.Client, api: ApiStub, nonsense: object
) -> None:
    api.nonsense = nonsense
    said = service.post(PATH, json={"input": ["x", "y"]})
    assert (said.status_code, said.json()["code"]) == (503, "embedding_api_wrong")


def test_one_that_is_away_at_start_is_waited_for(make_service: MakeService, api: ApiStub) -> None:
    api.status = 500
    service = make_service(engine="openai", wait=False, openai_url=api.url)
    while failure(service, "x") != (503, "embedding_api_refused"):  # until it has tried
        pass
    ready = service.get("/readyz")
    assert (ready.status_code, list(ready.json()["missing"])) == (503, ["model"])
    assert service.get("/livez").status_code == 200
    api.status = 200
    when_ready(service)
    assert service.post(PATH, json={"input": "x"}).status_code == 200


def test_one_that_cannot_be_reached_is_named(make_service: MakeService) -> None:
    service = make_service(engine="openai", wait=False, openai_url="http://127.0.0.1:9/v1")
    while failure(service, "x") != (503, "embedding_api_down"):  # until it has tried
        pass
