"""The route, with the real model behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import numpy as np
import pytest
from embedding_service import PATH, VECTOR_KEY, vectors
from openai.types import CreateEmbeddingResponse

from tracemypods.contracts.embeddings import EmbeddingClient
from tracemypods.kit.errors import Problem, Unavailable
from tracemypods.kit.http import HttpClient
from tracemypods.local.testing.background import BackgroundLoop


def embed(client: httpx2.Client, *texts: str, **more: object) -> httpx2.Response:
    return client.post(PATH, json={"input": list(texts), **more})


def test_texts_become_vectors_in_openais_shape(ask: httpx2.Client) -> None:
    answer = embed(ask, "What is gravity?", "How do I bake bread?")
    body = answer.json()
    assert (body["object"], body["model"]) == ("list", "all-minilm-l6-v2")
    assert body["space"] == "all-minilm-l6-v2.onnx.int8"
    assert body["usage"] == {"prompt_tokens": 15, "total_tokens": 15}
    assert [one["object"] for one in body["data"]] == ["embedding", "embedding"]
    assert [one["truncated"] for one in body["data"]] == [False, False]
    found = vectors(answer)
    assert found.shape == (2, 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)


def test_what_means_the_same_is_close(ask: httpx2.Client) -> None:
    one, same, other = vectors(
        embed(ask, "What is gravity?", "Explain gravity to me.", "How do I bake bread?")
    )
    assert one @ same > 0.8
    assert one @ other < 0.3


def test_the_formats_hold_the_same_numbers(ask: httpx2.Client) -> None:
    as_numbers = vectors(embed(ask, "a text"))
    as_base64 = vectors(embed(ask, "a text", encoding_format="base64"))
    assert as_numbers == pytest.approx(as_base64, abs=1e-8)


def test_openais_own_types_read_it(ask: httpx2.Client) -> None:
    body = ask.post(PATH, json={"input": "a text", "model": "all-minilm-l6-v2"}).json()
    found = CreateEmbeddingResponse.model_validate(body)
    assert len(found.data[0].embedding) == 384


def test_how_it_came_about_is_in_the_headers(ask: httpx2.Client) -> None:
    first = embed(ask, "never asked before", "nor this")
    assert first.headers["X-Batch-Size"] == "2"
    assert first.headers["X-Cached-Texts"] == "0"
    assert float(first.headers["X-Inference-Milliseconds"]) > 0
    assert float(first.headers["X-Queue-Milliseconds"]) >= 0
    again = embed(ask, "never asked before", "nor this")
    assert (again.headers["X-Batch-Size"], again.headers["X-Cached-Texts"]) == ("0", "2")
    assert again.json() == first.json()
    metrics = ask.get("/metrics").text
    assert "embedding_queue_seconds_count" in metrics
    assert 'embedding_texts_total{source="cache"}' in metrics
    assert "embedding_inference_seconds_bucket" in metrics
    assert "embedding_batch_texts_bucket" in metrics


def test_texts_over_the_window_are_marked(ask: httpx2.Client) -> None:
    fits, exactly, over = "gravity " * 100, "gravity " * 254, "gravity " * 255
    body = embed(ask, fits, exactly, over).json()
    assert [one["truncated"] for one in body["data"]] == [False, False, True]
    assert body["usage"]["total_tokens"] == 102 + 256 + 256
    found = vectors(embed(ask, exactly, over))
    assert found[0] == pytest.approx(found[1], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "truncated"),
    [
        ("a" * 60_000, False),  # one word, and unknown as a whole
        ("a" * 1_000_000, True),
        ("ab " * 333_333, True),
        (" " * 60_000 + "gravity", False),
        (" " * 999_000 + "gravity", True),
        ("\U0001f680" * 60_000, False),  # so is this
        ("\U0001f680 " * 250_000, True),
        ("重力" * 500_000, True),
        ("\x00\x01\x02\x7f\x80\xff" * 20, False),
        ("\x00\ufffd\ufffe" * 1000, False),
        ("\U0001f389\U0001f680\U0001f9ea", False),
        ("ما هي الجاذبية؟", False),
        ("\u202eמהי כוח הכבידה?\u202c", False),  # noqa: RUF001 - Hebrew
        (" \t\n", False),
        ("[CLS] [SEP] [PAD] [MASK]", False),
        ("e\u0301" * 300, False),
        ("Z̗̭͖͚̲͈̎̇ͫ͑͘͜a̵̙l͝g̸o", False),
    ],
)
def test_any_text_has_a_vector(ask: httpx2.Client, text: str, truncated: bool) -> None:
    answer = embed(ask, text)
    (found,) = vectors(answer)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    assert answer.json()["data"][0]["truncated"] is truncated


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({"input": ""}, 422, "invalid_request", "at least 1 character"),
        ({"input": []}, 422, "invalid_request", "at least 1 item"),
        ({"input": ["fine", ""]}, 422, "invalid_request", "at least 1 character"),
        ({"input": [1, 2]}, 422, "invalid_request", "valid string"),
        ({"input": "x", "colour": "red"}, 422, "invalid_request", "colour"),
        ({"input": "x", "encoding_format": "hex"}, 422, "invalid_request", "encoding_format"),
        ({"input": "x", "dimensions": 1536}, 422, "invalid_request", "has 384"),
        ({"input": "x", "model": "gpt"}, 404, "model_unknown", "all-minilm-l6-v2"),
        ({"input": ["x"] * 10_000}, 422, "invalid_request", "one call may bring 256"),
        ({}, 422, "invalid_request", "input"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    ask: httpx2.Client, body: dict[str, object], status: int, code: str, said: str
) -> None:
    answer = ask.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_body"),
        (b'{"input": "\\ud800"}', 422, "invalid_request"),
        (b'{"input": "\xff\xfe"}', 400, "malformed_body"),
        (b'{"input": "' + b"x" * 9_000_000 + b'"}', 413, "body_too_large"),
    ],
)
def test_bodies_that_are_no_json_are_refused(
    ask: httpx2.Client, content: bytes, status: int, code: str
) -> None:
    answer = ask.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_only_those_whom_the_table_names_may_call(ask: httpx2.Client) -> None:
    body = {"input": "x"}
    for key, status in ((VECTOR_KEY.get_secret_value(), 200), ("x" * 40, 403)):
        answer = ask.post(PATH, json=body, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == status
    without = httpx2.post(f"{ask.base_url}{PATH}", json=body)
    assert (without.status_code, without.json()["code"]) == (401, "edge_key_missing")


@pytest.fixture
def make_client() -> Iterator[Callable[[str], tuple[EmbeddingClient, BackgroundLoop]]]:
    """Clients of the contracts, each with the loop that it belongs to."""
    with BackgroundLoop() as background, ExitStack() as stack:

        def make(url: str) -> tuple[EmbeddingClient, BackgroundLoop]:
            http = HttpClient("embedding", url, connect=1, total=5, bearer=VECTOR_KEY)
            client = EmbeddingClient(http)
            stack.callback(lambda: background.run(client.close()))
            return client, background

        yield make


MakeClient = Callable[[str], tuple[EmbeddingClient, BackgroundLoop]]


def test_the_client_in_the_contracts_gets_the_same_vectors(
    ask: httpx2.Client, make_client: MakeClient
) -> None:
    client, background = make_client(str(ask.base_url))
    found = background.run(client.embed(["What is gravity?", "word " * 300]))
    assert np.array(found.vectors) == pytest.approx(
        vectors(embed(ask, "What is gravity?", "word " * 300)), abs=1e-6
    )
    assert found.truncated == [False, True]
    assert (found.space, found.tokens) == ("all-minilm-l6-v2.onnx.int8", 6 + 256)
    with pytest.raises(Problem) as refused:
        background.run(client.embed(["x"] * 300))
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")


def test_the_client_names_a_service_that_is_not_there(make_client: MakeClient) -> None:
    client, background = make_client("http://127.0.0.1:9")
    with pytest.raises(Unavailable) as failed:
        background.run(client.embed(["x"]))
    assert failed.value.code == "embedding_unavailable"
