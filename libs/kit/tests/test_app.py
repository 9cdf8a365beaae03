"""What every service's application does: ids, problems, limits, health, logs, draining."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from tracemypods.kit.app import create_service
from tracemypods.kit.errors import NotFound, TooManyRequests, responses
from tracemypods.kit.log import JsonFormatter
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp

router = APIRouter()


class Thing(BaseModel):
    """A body."""

    size: int


@router.post("/things", responses=responses(422))
async def make_thing(thing: Thing) -> Thing:
    return thing


@router.get("/missing")
async def missing() -> None:
    raise NotFound("There is no such thing.")


@router.get("/limited")
async def limited() -> None:
    raise TooManyRequests("Slow down.", retry_after=7)


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("the secret is hunter2")


class Dependency:
    """Something that a service needs, in the state that a test wants."""

    def __init__(self) -> None:
        self.state = "well"

    async def check(self) -> None:
        if self.state == "broken":
            raise ConnectionRefusedError("no")
        if self.state == "hung":
            await asyncio.Event().wait()


@pytest.fixture
def dependency() -> Dependency:
    return Dependency()


@pytest.fixture
def served(dependency: Dependency) -> Iterator[ServedApp]:
    app = create_service(
        "token",
        ServiceSettings.model_validate({"mode": Mode.LOCAL}),
        routers=[router],
        checks={"store": dependency.check},
        body_limit=100,
    )
    with ServedApp(app) as served:
        yield served


@pytest.fixture
def client(served: ServedApp) -> Iterator[httpx2.Client]:
    with caller(served.url, None) as client:
        yield client


def test_every_answer_carries_an_id_and_safe_headers(client: httpx2.Client) -> None:
    for path in ("/livez", "/missing", "/nowhere", "/broken"):
        answer = client.get(path)
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_an_id_from_within_the_fleet_is_kept_and_others_are_not(client: httpx2.Client) -> None:
    ours = "req_" + "0123456789abcdef" * 2
    assert client.get("/livez", headers={"X-Request-Id": ours}).headers["x-request-id"] == ours
    for forged in ("req_short", "x" * 500, ours + "0", 'req_"><script>'):
        answer = client.get("/livez", headers={"X-Request-Id": forged})
        assert answer.headers["x-request-id"] != forged


def test_problems(client: httpx2.Client) -> None:
    answer = client.get("/missing")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such thing.",
        "code": "not_found",
        "request_id": answer.headers["x-request-id"],
    }
    assert client.get("/limited").headers["retry-after"] == "7"


def test_wrong_bodies_name_the_field(client: httpx2.Client) -> None:
    answer = client.post("/things", json={"size": "large"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "size"
    assert "size" in answer.json()["detail"]


def test_what_nobody_foresaw_is_a_plain_500_without_details(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "hunter2" not in answer.text
    assert "unhandled error" in caplog.text


@pytest.mark.parametrize("announced", [True, False])
def test_bodies_over_the_limit(client: httpx2.Client, announced: bool) -> None:
    content = b"x" * 101
    answer = client.post("/things", content=content if announced else iter([content]))
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert "100 bytes" in answer.json()["detail"]


def test_health(client: httpx2.Client, dependency: Dependency) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "missing": {}}
    for state, reason in (("broken", "ConnectionRefusedError"), ("hung", "no answer within 2 s")):
        dependency.state = state
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not_ready", "missing": {"store": reason}}
        assert client.get("/livez").status_code == 200
    dependency.state = "well"
    assert client.get("/readyz").status_code == 200
    version = client.get("/version").json()
    assert (version["service"], version["mode"]) == ("token", "local")


def test_a_service_that_stops_is_not_ready(served: ServedApp, client: httpx2.Client) -> None:
    served.app.state.draining.begin()
    assert client.get("/readyz").json()["status"] == "stopping"


class Lines(logging.Handler):
    """Collects the formatted access log."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter("token"))
        self.lines: queue.Queue[str] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.put(self.format(record))


def test_the_access_log_has_no_query(client: httpx2.Client) -> None:
    logger, lines = logging.getLogger("tracemypods.request"), Lines()
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        client.get("/missing?token=hunter2", headers={"Authorization": "Bearer hunter2"})
        line = lines.lines.get(timeout=30)
    finally:
        logger.removeHandler(lines)
    entry = json.loads(line)
    assert entry["path"] == "/missing"
    assert entry["status"] == 404
    assert entry["request_id"].startswith("req_")
    assert entry["milliseconds"] >= 0
    assert "hunter2" not in line


def test_metrics_count_requests_by_the_template_of_their_route(client: httpx2.Client) -> None:
    client.get("/missing")
    client.get("/nowhere/alice")
    client.get("/broken")
    text = client.get("/metrics").text
    count = "http_server_request_duration_seconds_count"
    assert f'{count}{{method="GET",route="/missing",status="404"}} 1.0' in text
    assert f'{count}{{method="GET",route="none",status="404"}} 1.0' in text
    assert "http_server_unhandled_errors_total 1.0" in text
    assert "alice" not in text


def test_openapi_names_the_problem_document(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()
    error = described["paths"]["/things"]["post"]["responses"]["422"]
    assert "application/problem+json" in error["content"]
