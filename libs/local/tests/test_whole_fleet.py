"""Everything that `make up` starts, together."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tracemypods.local.fleet import Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet")) as started:
        yield started


def fetch(url: str, body: object = None, key: str | None = None) -> Any:
    request = urllib.request.Request(url)  # noqa: S310 - our own
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=60) as answer:  # noqa: S310 - our own
        return json.loads(answer.read())


def test_all_parts_are_ready(fleet: Fleet) -> None:
    current = fleet.state()
    assert current is not None
    assert {part.name: part.state for part in current.parts} == dict.fromkeys(
        fleet.table.part_names, "ready"
    )


def test_a_token_is_issued_through_the_gateway(fleet: Fleet) -> None:
    assert fetch(f"{fleet.url()}/api/token", body={})["token"]


def test_mail_is_captured_and_read_through_the_gateway(fleet: Fleet) -> None:
    port = urlsplit(fleet.provided("smtp")).port
    assert port
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
        client.sendmail("shop@shop.example", ["a@b.example"], "Subject: Hello\r\n\r\nText")
    (found,) = fetch(f"{fleet.url()}/local/inbox/messages?to=a@b.example")["items"]
    assert (found["subject"], found["text"].strip()) == ("Hello", "Text")
    with urllib.request.urlopen(f"{fleet.url()}/local/inbox/") as page:  # noqa: S310 - our own
        assert b"Nothing here was delivered" in page.read()


def test_a_sandboxs_faults_need_the_fleets_key(fleet: Fleet) -> None:
    faults = f"{fleet.url()}/local/inbox/faults"
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(faults)
    assert refused.value.code == 401
    refused.value.close()
    assert fetch(faults, key=fleet.secret("sandbox_key"))["fault"] is None


def test_the_model_server_wants_its_key_and_hides_its_path(fleet: Fleet) -> None:
    url = fleet.url("models")
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(f"{url}/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]})
    assert refused.value.code == 401
    refused.value.close()
    listed = fetch(f"{url}/models", key=fleet.secret("models_api_key"))
    assert [model["id"] for model in listed["data"]] == ["smollm2:135m"]
    assert listed["data"][0]["meta"]["n_ctx"] == 4096
    assert ".gguf" not in json.dumps(listed)


def test_the_model_answers(fleet: Fleet) -> None:
    answer = fetch(
        f"{fleet.url('models')}/chat/completions",
        {
            "messages": [{"role": "user", "content": "What is gravity?"}],
            "max_tokens": 24,
            "temperature": 0,
        },
        key=fleet.secret("models_api_key"),
    )
    assert "gravity" in answer["choices"][0]["message"]["content"].lower()


def test_environment_for_a_service_in_the_tests_own_process(fleet: Fleet) -> None:
    environment = fleet.environment("ask")
    assert environment["TRACEMYPODS_REDIS_URL"] == fleet.url("redis")
    assert environment["TRACEMYPODS_MODELS_URL"] == fleet.url("models")
