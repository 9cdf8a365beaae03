"""Operators refuse a token or a network, and serve it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis

from tracemypods.ask.quotas.blocks import named_network
from tracemypods.kit.operators import OperatorKeys
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey

QUESTION = {"prompt": "Hi?"}
CHAT = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi?"}]}


@pytest.fixture
def served(make_ask: Callable[..., ServedApp], operators_file: Path) -> ServedApp:
    served = make_ask()
    served.app.state.operator_keys = OperatorKeys(operators_file)
    return served


@pytest.fixture
def make_operator(
    served: ServedApp, operator_key: Callable[..., str]
) -> Iterator[Callable[..., httpx2.Client]]:
    with ExitStack() as stack:
        yield lambda *scopes: stack.enter_context(caller(served.url, operator_key(*scopes)))


@pytest.mark.parametrize("kind", ["token", "network"])
def test_operators_block_and_unblock(
    served: ServedApp,
    make_operator: Callable[..., httpx2.Client],
    token: str,
    valkey: Valkey,
    kind: Any,
) -> None:
    operator = make_operator("callers:block")
    with caller(served.url, token) as client:
        assert client.post("/api/ask", json=QUESTION).status_code == 200
        with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
            (key,) = [str(name) for name in redis.scan_iter("ask:quota:token:*:day")]
        name = key.split(":")[3] if kind == "token" else "127.0.0.1"
        block = {"kind": kind, "name": name, "reason": "floods", "seconds": 60}
        assert operator.post("/api/blocks", json=block).json() == block
        (listed,) = operator.get("/api/blocks").json()["items"]
        assert (listed["name"], listed["reason"]) == (name, "floods")
        assert 0 < listed["seconds"] <= 60

        refused = client.post("/api/ask", json=QUESTION)  # although its answer is kept
        in_openai = client.post("/v1/chat/completions", json=CHAT)
        assert refused.status_code == in_openai.status_code == 403
        assert refused.json()["code"] == in_openai.json()["error"]["code"] == "blocked"

        lift = {"kind": kind, "name": name}
        assert operator.delete("/api/blocks", params=lift).status_code == 204
        again = operator.delete("/api/blocks", params=lift)
        assert (again.status_code, again.json()["code"]) == (404, "not_blocked")
        assert operator.get("/api/blocks").json()["items"] == []
        assert client.post("/api/ask", json=QUESTION).status_code == 200


def test_a_network_is_blocked_as_a_whole_and_for_ever(
    served: ServedApp, make_operator: Callable[..., httpx2.Client], token: str
) -> None:
    operator = make_operator("callers:block")
    block = {"kind": "network", "name": "2001:db8:1:2::7", "reason": "floods"}
    made = operator.post("/api/blocks", json=block)
    assert made.status_code == 201
    assert made.json() == {**block, "name": "2001:db8:1:2::/64"}
    assert operator.get("/api/blocks").json()["items"] == [made.json()]
    with caller(served.url, token) as client:
        for address, status in (("2001:db8:1:2::9", 403), ("2001:db8:1:3::9", 200)):
            headers = {"X-Forwarded-For": address}
            assert client.post("/api/ask", json=QUESTION, headers=headers).status_code == status


def test_answers_that_have_begun_go_on(
    served: ServedApp, make_operator: Callable[..., httpx2.Client], token: str, stub: ModelStub
) -> None:
    operator = make_operator("callers:block")
    stub.fault = "busy_after_first"
    with (
        caller(served.url, token) as client,
        client.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response,
    ):
        arriving = events(response)
        next(arriving)
        block = {"kind": "network", "name": "127.0.0.1", "reason": "floods"}
        assert operator.post("/api/blocks", json=block).status_code == 201
        stub.resume()
        assert list(arriving)[-1][0] == "done"


def test_who_may(
    served: ServedApp, make_operator: Callable[..., httpx2.Client], token: str
) -> None:
    block = {"kind": "network", "name": "127.0.0.1", "reason": "floods"}
    other = make_operator("tokens:revoke")
    with caller(served.url, token) as client:
        for asking, status in ((client, 401), (other, 403)):
            assert asking.get("/api/blocks").status_code == status
            assert asking.post("/api/blocks", json=block).status_code == status
            assert asking.delete("/api/blocks", params=block).status_code == status


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "planet"}, "kind"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "*"}, "name"),
        ({"name": "banana"}, "name"),
        ({"name": "10.0.0.0/8"}, "name"),
        ({"name": "2001:db8::/48"}, "name"),
        ({"reason": ""}, "reason"),
        ({"seconds": 0}, "seconds"),
        ({"until": "x"}, "until"),
    ],
)
def test_bad_input_names_the_field(
    make_operator: Callable[..., httpx2.Client], changes: dict[str, Any], field: str
) -> None:
    block = {"kind": "network", "name": "127.0.0.1", "reason": "floods", **changes}
    refused = make_operator("callers:block").post("/api/blocks", json=block)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7/32", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("198.51.100.0/24", None),
        ("2001:db8::/48", None),
        ("2001:db8::7/128", None),
        ("banana", None),
        ("", None),
    ],
)
def test_networks_that_people_name(text: str, network: str | None) -> None:
    assert named_network(text) == network
