"""Models that have servers for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tracemypods.kit.settings import SettingsError
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp

OWN = "tinyllama"
USUAL = "smollm2:135m"


@pytest.fixture
def own() -> Iterator[ModelStub]:
    with ModelStub() as stub:
        stub.models = []
        yield stub


def servers(own: ModelStub, **more: Any) -> dict[str, Any]:
    return {"small": {"url": own.url, "models": [OWN], **more}}


def statuses(client: httpx2.Client) -> dict[str, str]:
    return {one["name"]: one["status"] for one in client.get("/api/models").json()["items"]}


def ask(client: httpx2.Client, model: str) -> httpx2.Response:
    return client.post("/api/ask", json={"prompt": "Hi?", "model": model})


def test_each_model_is_asked_of_its_own_server(
    make_ask: Callable[..., ServedApp], token: str, stub: ModelStub, own: ModelStub
) -> None:
    own.models, own.pieces = [OWN], ["Mine."]
    with caller(make_ask(models_servers=servers(own)).url, token) as client:
        assert ask(client, OWN).json()["answer"] == "Mine."
        assert ask(client, USUAL).json()["answer"] == "Hello, world."
    assert [one["model"] for one in own.requests] == [OWN]
    assert [one["model"] for one in stub.requests] == [USUAL]


@pytest.mark.parametrize("running", [True, False])
def test_a_model_on_its_way_is_cold_and_nothing_waits_for_it(
    make_ask: Callable[..., ServedApp], token: str, own: ModelStub, running: bool
) -> None:
    if not running:
        own.stop()
    with caller(make_ask(models_servers=servers(own)).url, token) as client:
        assert statuses(client)[OWN] == "cold"
        answer = ask(client, OWN)
        assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
        assert "on its way" in answer.json()["detail"]
        assert client.get("/readyz").status_code == 200


def test_a_model_that_was_there_and_is_gone_is_not_cold(
    make_app: Callable[..., Any], token: str, stub: ModelStub, own: ModelStub
) -> None:
    own.models = [OWN]
    app = make_app(stub, models_servers=servers(own))
    # The list is asked for anew each time, in place of waiting for the last one's end.
    server = app.state.ask.models.of(OWN)
    with ServedApp(app) as served, caller(served.url, token) as client:
        found: list[str] = []
        for change in (lambda: None, lambda: own.models.clear(), own.stop):
            change()
            server._valid_until = float("-inf")
            found.append(statuses(client)[OWN])
    assert found == ["ready", "not_installed", "down"]


def test_without_a_usual_server_other_models_are_not_installed(
    make_ask: Callable[..., ServedApp], token: str, own: ModelStub
) -> None:
    own.models = [OWN]
    with caller(make_ask(models_url=None, models_servers=servers(own)).url, token) as client:
        assert client.get("/readyz").status_code == 200
        assert statuses(client)[OWN] == "ready"
        assert statuses(client)[USUAL] == "not_installed"
        answer = ask(client, USUAL)
        assert (answer.status_code, answer.json()["code"]) == (409, "model_not_installed")
        assert ask(client, OWN).status_code == 200


def test_a_server_gets_its_own_key_and_no_other_does(
    make_ask: Callable[..., ServedApp], token: str, stub: ModelStub, own: ModelStub, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("the-key\n")
    with caller(make_ask(models_servers=servers(own, key_file=file)).url, token) as client:
        statuses(client)
    assert own.authorizations == ["Bearer the-key"]
    assert stub.authorizations == [None]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"a": {"url": "http://a/v1", "models": ["nobody:1b"]}}, "a has nobody:1b, which"),
        (
            {one: {"url": "http://a/v1", "models": [OWN]} for one in "ab"},
            "both a and b have tinyllama",
        ),
        (
            {"a": {"url": "http://a/v1", "models": [OWN], "key_file": "/nowhere"}},
            "there is no key in /nowhere",
        ),
    ],
)
def test_servers_that_cannot_be_used_stop_the_start(
    make_app: Callable[..., Any], stub: ModelStub, wrong: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SettingsError, match=f"TRACEMYPODS_MODELS_SERVERS: .*{reason}"):
        make_app(stub, models_servers=wrong)


def test_some_server_is_needed(make_app: Callable[..., Any], stub: ModelStub) -> None:
    with pytest.raises(ValueError, match="TRACEMYPODS_MODELS_URL: Field required"):
        make_app(stub, models_url=None)
