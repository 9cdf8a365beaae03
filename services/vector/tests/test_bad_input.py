"""What is refused, and that the answer says which field is wrong."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from vector_service import LABELS, SMALL, Caller, labels, point, problem, serve

MakeService = Callable[..., httpx2.Client]
NORTH = [1, 0, 0, 0]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """One service for all of these, none of which changes anything."""
    with serve(tmp_path_factory.mktemp("vector")) as client:
        caller = Caller(client)
        caller.upsert(point(1, NORTH))
        yield caller
        assert caller.ids(NORTH, limit=100) == [1]


def base64_of(*numbers: float) -> str:
    return base64.b64encode(array("f", numbers).tobytes()).decode()


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in LABELS.items() if key != name}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"vector": [1, 0, 0]}, "points.0.vector"),
        ({"vector": [1, 0, 0, 0, 0]}, "points.0.vector"),
        ({"vector": []}, "points.0.vector"),
        ({"vector": [1, "1", 0, 0]}, "points.0.vector.1"),
        ({"vector": [1, None, 0, 0]}, "points.0.vector.1"),
        ({"vector": [True, 0, 0, 0]}, "points.0.vector.0"),
        ({"vector": [0, 0, 0, 0]}, "points.0.vector"),
        ({"vector": [1e308, 1e308, 1e308, 1e308]}, "points.0.vector"),
        ({"vector": [0.1] * 5000}, "points.0.vector"),
        ({"vector": "AAAA"}, "points.0.vector"),
        ({"vector": "not base64"}, "points.0.vector"),
        ({"vector": base64_of(1, 0, float("nan"), 0)}, "points.0.vector.2"),
        ({"vector": base64_of(1, 0, float("inf"), 0)}, "points.0.vector.2"),
        ({"vector": {"0": 1}}, "points.0.vector"),
        ({"vector": None}, "points.0"),
        ({"text": "both"}, "points.0"),
        ({"vector": None, "text": ""}, "points.0.text"),
        ({"vector": None, "text": "none is taken here"}, "points.0.text"),
        ({"id": -1}, "points.0.id"),
        ({"id": 2**64}, "points.0.id"),
        ({"id": 1.5}, "points.0.id"),
        ({"id": "one"}, "points.0.id"),
        ({"id": None}, "points.0.id"),
        ({"labels": without("model")}, "points.0.labels.model"),
        ({"labels": labels(tenant="x")}, "points.0.labels.tenant"),
        ({"labels": labels(model="")}, "points.0.labels.model"),
        ({"labels": labels(model="x" * 300)}, "points.0.labels.model"),
        ({"labels": {**LABELS, "model": 1}}, "points.0.labels.model"),
        ({"labels": {**LABELS, "a.b": "x"}}, "points.0.labels.a.b"),
        ({"payload": {"answer": {"nested": 1}}}, "points.0.payload.answer"),
        ({"payload": {"answer": "x" * 70_000}}, "points.0.payload"),
        ({"payload": {"whole": 2**63}}, "points.0.payload.whole"),
        ({"expires_at": 2**53}, "points.0.expires_at"),
        ({"expires_at": -1}, "points.0.expires_at"),
        ({"expires_at": "soon"}, "points.0.expires_at"),
        ({"colour": "red"}, "points.0.colour"),
    ],
    ids=str,
)
def test_a_wrong_point_is_refused(ask: Caller, changed: dict[str, Any], field: str) -> None:
    found = problem(
        ask.call("upsert", points=[{**point(2, NORTH), **changed}]), 422, "invalid_request"
    )
    fields = {one["field"] for one in found["errors"]}
    assert any(one == field or one.startswith(f"{field}.") for one in fields), fields
    assert len(found["errors"]) <= 5


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"vector": [1, 0]}, "vector"),
        ({"labels": {}}, "labels.scope"),
        ({"labels": without("scope")}, "labels.scope"),
        ({"labels": labels(tenant="x")}, "labels.tenant"),
        ({"labels": {**LABELS, "scope": []}}, "labels.scope"),
        ({"labels": {**LABELS, "scope": 1}}, "labels.scope"),
        ({"labels": {**LABELS, "scope": ["x", 1]}}, "labels.scope.1"),
        ({"labels": {**LABELS, "scope": ["x"] * 9}}, "labels.scope"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"min_score": 2}, "min_score"),
        ({"filter": {}}, "filter"),
    ],
    ids=str,
)
def test_a_wrong_search_is_refused(ask: Caller, changed: dict[str, Any], field: str) -> None:
    body = {"vector": NORTH, "labels": LABELS, **changed}
    found = problem(ask.call("search", **body), 422, "invalid_request")
    assert field in {one["field"] for one in found["errors"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"ids": []}, "ids"),
        ({"ids": list(range(65))}, "ids"),
        ({"labels": {}}, "labels"),
        ({"labels": {"tenant": "x"}}, "labels.tenant"),
    ],
    ids=str,
)
def test_a_wrong_delete_is_refused(ask: Caller, body: dict[str, Any], field: str) -> None:
    found = problem(ask.call("delete", **body), 422, "invalid_request")
    assert field in {one["field"] for one in found["errors"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": list(range(65))}, "ids"),
        ({"ids": ["x"]}, "ids.0"),
        ({"labels": {"tenant": "x"}}, "labels.tenant"),
        ({"cursor": -1}, "cursor"),
        ({"limit": 101}, "limit"),
        ({"filter": {}}, "filter"),
    ],
    ids=str,
)
def test_a_wrong_list_is_refused(ask: Caller, body: dict[str, Any], field: str) -> None:
    found = problem(ask.call("list", **body), 422, "invalid_request")
    fields = [one["field"] for one in found["errors"]]
    assert any(one == field or one.startswith(f"{field}.") for one in fields), fields


@pytest.mark.parametrize(
    "name",
    [
        "answers",
        "answers.space",
        "answers.space.0",
        "answers.space.9999",
        "answers.Space.4",
        "secrets.space.4",
        "answers.space.4x",
        "answers..4",
        "answers.-x.4",
        "a" * 500,
        "answers.%20.4",
    ],
)
@pytest.mark.parametrize("what", ["upsert", "search", "list", "delete"])
def test_what_is_no_collection_is_refused(ask: Caller, what: str, name: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "upsert": {"points": [point(1, NORTH)]},
        "search": {"vector": NORTH, "labels": LABELS},
        "list": {},
        "delete": {"ids": [1]},
    }
    answer = Caller(ask.client, name).call(what, **bodies[what])
    found = problem(answer, 422, "invalid_request")
    assert found["errors"][0]["field"] == "path.collection"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b'{"points": {"0": 1}}',
        b'{"points": [[]]}',
        b"[" * 50_000,
        b'{"vector": [NaN, Infinity, 0, 0]}',
        b'{"vector": [1e999, 0, 0, 0], "labels": {}}',
        b'{"text": "\\ud800", "labels": {}}',
        b'{"ids": ["\\ud800"]}',
    ],
)
@pytest.mark.parametrize("what", ["upsert", "search", "list", "delete"])
def test_junk_is_refused(ask: Caller, what: str, body: bytes) -> None:
    answer = ask.client.post(
        f"/api/vector/{SMALL.name}/{what}",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] in ("malformed_body", "invalid_request")


@pytest.mark.parametrize("field", ["labels", "payload"])
def test_text_that_is_no_unicode_is_refused(ask: Caller, field: str) -> None:
    value = {"labels": labels(model="\ud800"), "payload": {"answer": "\ud800"}}[field]
    answer = ask.client.post(
        f"/api/vector/{SMALL.name}/upsert",
        content=json.dumps({"points": [point(2, NORTH, **{field: value})]}),
        headers={"Content-Type": "application/json"},
    )
    found = problem(answer, 422, "invalid_request")
    assert found["errors"][0]["field"].startswith(f"points.0.{field}")


def test_too_much_at_once_is_refused(ask: Caller) -> None:
    found = problem(
        ask.call("upsert", points=[point(n, NORTH) for n in range(65)]), 422, "invalid_request"
    )
    assert found["errors"][0]["field"] == "points"
    answer = ask.client.post(
        f"/api/vector/{SMALL.name}/upsert",
        content=b"x" * (5 * 1024 * 1024),
        headers={"Content-Type": "application/json"},
    )
    problem(answer, 413, "body_too_large")


def test_there_may_be_so_many_collections(make_service: MakeService) -> None:
    ask = Caller(make_service(max_collections=1))
    ask.upsert(point(1, NORTH))
    other = Caller(ask.client, "answers.other.4")
    problem(other.call("upsert", points=[point(1, NORTH)]), 409, "collections_full")
    ask.upsert(point(2, NORTH))


def test_only_ask_may_call(ask: Caller) -> None:
    for headers, status in ({}, 401), ({"Authorization": "Bearer " + "k" * 40}, 403):
        for what in ("upsert", "search", "list", "delete"):
            answer = httpx2.post(
                f"{ask.client.base_url}/api/vector/{SMALL.name}/{what}".replace("//api", "/api"),
                headers=headers,
                json={},
            )
            assert answer.status_code == status


def test_operators_need_a_key_with_the_scope(
    make_service: MakeService, operator_key: Callable[..., str]
) -> None:
    ask = Caller(make_service())
    ask.upsert(point(1, NORTH))
    path = f"/api/vector-entries/{SMALL.name}"
    problem(ask.client.get(path), 401, "operator_key_unknown")
    ask.client.headers["Authorization"] = f"Bearer {operator_key('vectors:read')}"
    assert ask.client.get(path).status_code == 200
    problem(ask.client.delete(f"{path}/1"), 403, "operator_scope_missing")
    for wrong, field in (
        (f"{path}/one", "path.identifier"),
        (f"{path}?cursor=one", "query.cursor"),
        (f"{path}?limit=0", "query.limit"),
        ("/api/vector-entries/nothing", "path.collection"),
    ):
        found = problem(ask.client.get(wrong), 422, "invalid_request")
        assert found["errors"][0]["field"] == field
    problem(ask.client.get("/api/vector-entries/answers.other.4"), 404, "collection_unknown")
