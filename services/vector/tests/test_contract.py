"""What callers can rely on, whatever the engine."""

from __future__ import annotations

import array
import base64
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from vector_service import (
    HOUR,
    LABELS,
    NOW_MILLISECONDS,
    SMALL,
    Caller,
    labels,
    point,
    problem,
)

from tracemypods.contracts.vectors import Collection
from tracemypods.local.testing.clock import MovableClock

NORTH, NEAR_NORTH, EAST, SOUTH = [1, 0, 0, 0], [1, 0.1, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]


def test_the_nearest_come_first_and_bring_what_was_kept(ask: Caller) -> None:
    ask.upsert(point(1, EAST), point(2, NEAR_NORTH), point(3, NORTH), point(4, SOUTH))
    first, second, *rest = ask.search([5, 0, 0, 0])
    assert first == {
        "id": 3,
        "score": pytest.approx(1, abs=1e-6),
        "labels": LABELS,
        "payload": {"question": "Why?", "answer": "Because of 3."},
        "stored_at": NOW_MILLISECONDS,
        "expires_at": NOW_MILLISECONDS + HOUR,
    }
    assert second["id"] == 2
    assert second["score"] == pytest.approx(0.995037, abs=1e-5)
    assert [one["id"] for one in rest] == [1, 4]
    assert ask.ids(NORTH, limit=1) == [3]
    assert ask.ids(NORTH, min_score=0.99) == [3, 2]


def test_ids_are_numbers_of_64_bits_or_uuids(ask: Caller) -> None:
    identifier = str(uuid.UUID(int=7))
    ask.upsert(point(2**64 - 1, NORTH), point(identifier, EAST), point(0, SOUTH))
    assert ask.ids(NORTH) == [2**64 - 1, identifier, 0]


def test_the_same_id_is_replaced(ask: Caller) -> None:
    ask.upsert(point(1, NORTH))
    ask.upsert(point(1, EAST, payload={"answer": "new"}))
    found = ask.search(EAST)
    assert [(one["id"], one["payload"]) for one in found] == [(1, {"answer": "new"})]
    assert found[0]["score"] == pytest.approx(1, abs=1e-6)


def test_vectors_may_be_base64(ask: Caller) -> None:
    ask.upsert(point(1, base64.b64encode(array.array("f", [0, 2, 0, 0]).tobytes()).decode()))
    assert (
        ask.search(base64.b64encode(array.array("f", EAST).tobytes()).decode())[0]["score"] > 0.999
    )


@pytest.mark.parametrize("name", list(LABELS))
def test_entries_with_another_label_are_never_found(ask: Caller, name: str) -> None:
    ask.upsert(point(1, NORTH), point(2, NORTH, labels=labels(**{name: "y"})))
    assert ask.ids(NORTH) == [1]
    assert ask.ids(NORTH, labels=labels(**{name: "y"})) == [2]
    assert ask.ids(NORTH, labels=labels(**{name: "z"})) == []


def test_all_kinds_of_values_come_back_as_they_were(ask: Caller) -> None:
    payload: dict[str, Any] = {
        "text": "Ünïcödé \u0000 🚀",
        "whole": 2**63 - 1,
        "least": -(2**63),
        "real": 0.1,
        "yes": True,
        "nothing": None,
    }
    ask.upsert(point(1, NORTH, payload=payload))
    assert ask.search(NORTH)[0]["payload"] == payload


def test_what_has_expired_is_not_found(ask: Caller, clock: MovableClock) -> None:
    ask.upsert(point(1, NORTH), point(2, NORTH, expires_at=NOW_MILLISECONDS + 2 * HOUR))
    clock.move(milliseconds=HOUR - 1)
    assert sorted(ask.ids(NORTH)) == [1, 2]
    clock.move(milliseconds=1)
    assert ask.ids(NORTH) == [2]


def test_several_values_of_a_label_stand_for_any_of_them(ask: Caller) -> None:
    ask.upsert(
        point(1, NORTH),
        point(2, NORTH, labels=labels(scope="two")),
        point(3, NORTH, labels=labels(scope="three")),
    )
    both = {**LABELS, "scope": [LABELS["scope"], "three"]}
    assert sorted(ask.ids(NORTH, labels=both)) == [1, 3]
    assert ask.ids(NORTH, labels={**LABELS, "scope": ["two"]}) == [2]


def test_entries_are_listed_by_id_or_by_some_labels(ask: Caller, clock: MovableClock) -> None:
    other = labels(model="other")
    ask.upsert(*(point(number, NORTH) for number in range(5)))
    ask.upsert(*(point(number, EAST, labels=other) for number in range(5, 10)))
    first = ask.listed(labels={"model": ["other", "a third"]}, limit=3)
    assert [one["id"] for one in first["items"]] == [5, 6, 7]
    assert first["items"][0]["payload"] == {"question": "Why?", "answer": "Because of 5."}
    assert "score" not in first["items"][0]
    rest = ask.listed(labels={"model": "other"}, cursor=first["cursor"])
    assert [one["id"] for one in rest["items"]] == [8, 9]
    assert rest["cursor"] is None
    assert len(ask.listed()["items"]) == 10
    chosen = ask.listed(ids=[1, 6, 99], labels={"model": "other"})
    assert [one["id"] for one in chosen["items"]] == [6]
    clock.move(milliseconds=HOUR)
    assert ask.listed()["items"] == ask.listed(ids=[1, 6])["items"] == []


def test_entries_are_deleted_by_id(ask: Caller) -> None:
    identifier = str(uuid.uuid4())
    ask.upsert(point(1, NORTH), point(2, NORTH), point(identifier, EAST))
    assert ask.delete(ids=[1, identifier, 99]) == 2
    assert ask.ids(NORTH) == [2]
    assert ask.delete(ids=[1]) == 0


def test_entries_are_deleted_by_id_where_they_have_some_labels(ask: Caller) -> None:
    other = labels(model="other")
    ask.upsert(point(1, NORTH), point(2, NORTH, labels=other))
    assert ask.delete(ids=[1, 2, 3], labels={"model": "other"}) == 1
    assert ask.ids(NORTH) == [1]
    assert ask.ids(NORTH, labels=other) == []


def test_entries_are_deleted_by_some_labels(ask: Caller) -> None:
    other = labels(model="other", epoch="2")
    ask.upsert(point(1, NORTH), point(2, NORTH, labels=other), point(3, EAST, labels=other))
    assert ask.delete(labels={"model": "other", "epoch": "1"}) == 0
    assert ask.delete(labels={"model": "other"}) == 2
    assert ask.ids(NORTH) == [1]
    assert ask.ids(NORTH, labels=other) == []


def test_collections_are_apart(ask: Caller) -> None:
    ask.upsert(point(1, NORTH))
    others = [
        Caller(ask.client, Collection("answers", "test.int8", 4).name),
        Caller(ask.client, Collection("answers", "test.float32", 3).name),
    ]
    others[0].upsert(point(2, NORTH))
    others[1].upsert(point(3, NORTH[:3]))
    assert ask.ids(NORTH) == [1]
    assert others[0].ids(NORTH) == [2]
    assert others[1].ids(NORTH[:3]) == [3]


def test_many_callers_at_once(ask: Caller) -> None:
    """All of them the first: the collection is made once, and nothing gets lost."""

    def work(worker: int) -> None:
        for number in range(worker * 10, worker * 10 + 10):
            mine = labels(epoch=str(number))
            ask.upsert(point(number, NORTH, labels=mine))
            assert ask.ids(NORTH, labels=mine) == [number]
            if number % 2:
                assert ask.delete(ids=[number]) == 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    for number in range(80):
        found = ask.ids(NORTH, labels=labels(epoch=str(number)))
        assert found == ([] if number % 2 else [number])


def test_a_collection_that_is_not_there_is_named(ask: Caller) -> None:
    for what, body in (
        ("search", {"vector": NORTH, "labels": LABELS}),
        ("delete", {"ids": [1]}),
        ("delete", {"labels": {"model": "x"}}),
    ):
        found = problem(ask.call(what, **body), 404, "collection_unknown")
        assert found["errors"][0]["field"] == "path.collection"


def test_operators_list_get_and_delete(ask: Caller, operator_key: Callable[..., str]) -> None:
    identifiers = [1, 2, 3, str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]
    ask.upsert(*(point(one, NORTH) for one in identifiers))
    ask.client.headers["Authorization"] = f"Bearer {operator_key('vectors:read', 'vectors:delete')}"
    path = "/api/vector-entries"
    assert ask.client.get(path).json() == {"items": [{"name": SMALL.name, "entries": 5}]}
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        asked: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = ask.client.get(f"{path}/{SMALL.name}", params=asked).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == identifiers
    one = f"{path}/{SMALL.name}/{identifiers[3]}"
    assert ask.client.get(one).json()["payload"]["question"] == "Why?"
    assert ask.client.delete(one).status_code == 204
    problem(ask.client.get(one), 404, "entry_unknown")
    problem(ask.client.delete(one), 404, "entry_unknown")
