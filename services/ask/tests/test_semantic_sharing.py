"""Sharing: what an operator approved everybody of the plan meets, and nobody sees their words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from semantic_person import ASKED, OTHER, SAME, Person
from semantic_stubs import Vectors

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey

ALSO_SAME = "Show me how to list pods in a namespace"
CANONICAL = "How do you list the pods of a namespace?"


class Operator:
    """Looks at entries and approves them."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def entries(self, scope: str | None = None) -> list[Any]:
        params = {} if scope is None else {"scope": scope}
        answer = self.client.get("/api/semantic-cache/entries", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def share(self, identifier: str, **words: str) -> Any:
        body = {"entries": [{"id": identifier, **words}]}
        answer = self.client.post("/api/semantic-cache/shared", json=body)
        assert answer.status_code == 200, answer.text
        (outcome,) = answer.json()["items"]
        return outcome

    def share_all(self, **words: str) -> str:
        """Approve the one entry that there is; returns the shared one's id."""
        (private,) = [one for one in self.entries() if one["scope"].startswith("token:")]
        return self.share(private["id"], **words)["shared"]

    def remove(self, identifier: str) -> int:
        return self.client.delete(f"/api/semantic-cache/entries/{identifier}").status_code


@pytest.fixture
def served(make_semantic: Callable[..., ServedApp]) -> ServedApp:
    return make_semantic(semantic_sharing=True)


@pytest.fixture
def asha(served: ServedApp, operator: Callable[[ServedApp], httpx2.Client]) -> Operator:
    return Operator(operator(served))


def test_nobody_meets_what_no_operator_approved(
    served: ServedApp, make_person: Callable[..., Person]
) -> None:
    make_person(served).ask(ASKED, kept=True)
    assert make_person(served).states(SAME) == ["miss"]


def test_two_tenants_meet_what_was_approved_and_see_no_words_of_each_other(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator, stub: ModelStub
) -> None:
    first, second = make_person(served), make_person(served)
    said = first.ask(ASKED, kept=True)["answer"]
    shared = asha.share_all()
    answer = second.client.post("/api/ask", json={"prompt": SAME})
    body = answer.json()
    assert (body["cache"]["state"], body["cache"]["shared"]) == ("semantic", True)
    assert body["cache"]["entry"] == shared
    assert body["answer"] == said
    assert "question" not in body["cache"]
    assert ASKED not in answer.text + str(answer.headers)
    assert len(stub.requests) == 1
    own = first.ask(ALSO_SAME)["cache"]  # the nearest of both: the same words lie at the same place
    assert own["state"] == "semantic"


def test_an_operators_words_are_shown(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    make_person(served).ask(ASKED, kept=True)
    shared = asha.share_all(question=CANONICAL)
    cache = make_person(served).ask(SAME)["cache"]
    assert (cache["state"], cache["question"], cache["entry"]) == ("semantic", CANONICAL, shared)
    (entry,) = asha.entries("shared")
    assert (entry["question"], entry["by_operator"]) == (CANONICAL, True)
    again = asha.share(shared, question=SAME)["shared"]  # in still other words, in its place
    assert [one["id"] for one in asha.entries("shared")] == [again]


def test_approving_twice_changes_nothing(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    make_person(served).ask(ASKED, kept=True)
    assert asha.share_all() == asha.share_all() == asha.share(asha.share_all())["shared"]
    assert len(asha.entries("shared")) == 1


def test_a_premium_answer_never_reaches_a_free_token(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    make_person(served, plan="premium").ask(ASKED, kept=True)
    asha.share_all()
    assert make_person(served).states(SAME) == ["miss"]
    assert make_person(served, plan="premium").ask(SAME)["cache"]["state"] == "semantic"


def test_the_same_question_to_another_model_or_with_other_options_is_not_met(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    make_person(served).ask(ASKED, kept=True)
    asha.share_all()
    assert make_person(served).states(SAME, temperature=0.1) == ["miss"]
    assert make_person(served).states(SAME, max_tokens=7) == ["miss"]
    assert make_person(served).states(OTHER) == ["miss"]


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("Whose e-mail is asha@example.com?", "personal_data"),
        ("What does the key sk-proj-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c do?", "secret"),
        ("How many pods run today?", "not_lasting"),
    ],
)
def test_words_that_must_not_be_shared_are_refused(
    served: ServedApp,
    make_person: Callable[..., Person],
    asha: Operator,
    words: str,
    refused: str,
) -> None:
    make_person(served).ask(ASKED, kept=True)
    (entry,) = asha.entries()
    outcome = asha.share(entry["id"], question=words)
    assert (outcome["refused"], outcome.get("shared")) == (refused, None)
    assert outcome["detail"]
    assert asha.entries("shared") == []


def test_an_answer_with_personal_data_is_not_shared(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator, vectors: Vectors
) -> None:
    make_person(served).ask(ASKED, kept=True)
    (point,) = vectors.points.values()  # as if an older version had kept it
    text = point["payload"]["answer"].replace('"text":"', '"text":"Write to asha@example.com. ')
    point["payload"]["answer"] = text
    assert asha.share(point["id"])["refused"] == "personal_data"


def test_what_is_not_there_can_not_be_shared(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    assert asha.share(nothing)["refused"] == "entry_unknown"
    make_person(served).ask(ASKED, kept=True)
    (entry,) = asha.entries()
    assert asha.client.post("/api/semantic-cache/epoch").status_code == 200
    assert asha.share(entry["id"])["refused"] == "entry_unknown"


def test_a_set_is_approved_at_once(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    person = make_person(served)
    person.ask(ASKED, kept=True)
    person.ask(OTHER, kept=True)
    body = {"entries": [{"id": one["id"]} for one in asha.entries()]}
    outcomes = asha.client.post("/api/semantic-cache/shared", json=body).json()["items"]
    assert len({one["shared"] for one in outcomes}) == 2
    for wrong in ({"entries": []}, {"entries": body["entries"] * 26}, {"entries": [{"id": "x"}]}):
        refused = asha.client.post("/api/semantic-cache/shared", json=wrong)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"].startswith("entries")


def test_a_wrong_answer_is_a_vote_and_not_met_again_by_who_cast_it(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    make_person(served).ask(ASKED, kept=True)
    shared = asha.share_all()
    voter, other = make_person(served), make_person(served)
    for _ in range(3):  # a vote counts once
        said = voter.client.post("/api/wrong-answer", json={"entry": shared})
        assert said.status_code == 204
    assert voter.ask(SAME)["cache"]["state"] == "miss"
    assert other.ask(SAME)["cache"]["state"] == "semantic"
    assert other.client.post("/api/wrong-answer", json={"entry": shared}).status_code == 204
    (entry,) = asha.entries("shared")
    assert entry["votes"] == 2


def test_what_was_removed_does_not_come_back(
    served: ServedApp, make_person: Callable[..., Person], asha: Operator
) -> None:
    first = make_person(served)
    first.ask(ASKED, kept=True)
    shared = asha.share_all()
    assert asha.remove(shared) == 204
    assert make_person(served).states(SAME) == ["miss"]
    # Neither the same entry, nor one in other words, nor of the next epoch.
    assert asha.client.post("/api/semantic-cache/epoch").status_code == 200
    query = {"model": "smollm2:135m"}
    assert asha.client.delete("/api/semantic-cache/entries", params=query).status_code == 200
    other = make_person(served)
    other.ask(ALSO_SAME, kept=True)
    (private,) = [one for one in asha.entries() if one["scope"].startswith("token:")]
    assert asha.share(private["id"])["refused"] == "removed"
    assert asha.share(private["id"], question=CANONICAL)["refused"] == "removed"
    (tombstone,) = asha.entries("removed")
    assert (tombstone["question"], tombstone["answer"]) == (ASKED, "")
    assert asha.share(tombstone["id"])["refused"] == "entry_unknown"
    assert asha.remove(tombstone["id"]) == 204  # which lifts it
    assert asha.share(private["id"])["shared"]


def test_closed_as_long_as_nobody_opens_it(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    served: ServedApp,
    operator: Callable[[ServedApp], httpx2.Client],
) -> None:
    make_person(served).ask(ASKED, kept=True)
    open_at = Operator(operator(served))
    shared = open_at.share_all()
    closed = make_semantic()
    assert make_person(closed).states(SAME) == ["miss"]
    there = Operator(operator(closed))
    refused = there.client.post("/api/semantic-cache/shared", json={"entries": [{"id": shared}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "sharing_closed")
    assert there.client.get("/api/semantic-cache").json()["sharing"] is False
    assert there.remove(shared) == 204


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/semantic-cache", "cache:read"),
        ("GET", "/api/semantic-cache/report", "cache:read"),
        ("GET", "/api/semantic-cache/entries", "cache:read"),
        ("POST", "/api/semantic-cache/shared", "cache:share"),
        ("POST", "/api/semantic-cache/epoch", "cache:delete"),
        ("DELETE", "/api/semantic-cache/entries?model=x", "cache:delete"),
        (
            "DELETE",
            "/api/semantic-cache/entries/00000000-0000-0000-0000-000000000000",
            "cache:delete",
        ),
    ],
)
def test_each_route_needs_its_scope(
    asha: Operator,
    served: ServedApp,
    operator_key: Callable[..., str],
    method: str,
    path: str,
    scope: str,
) -> None:
    del asha  # its keys are the service's
    scopes = {"cache:read", "cache:share", "cache:delete"}
    with caller(served.url, operator_key(*(scopes - {scope}))) as other:
        answer = other.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (403, "operator_scope_missing")
    with caller(served.url, operator_key(scope)) as fitting:
        assert fitting.request(method, path).status_code not in (401, 403)


def test_modes_of_single_models_and_what_shadow_would_have_given(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
    valkey: Valkey,
) -> None:
    shadow = make_semantic(semantic_cache="off", semantic_cache_models={"smollm2:135m": "shadow"})
    person, client = make_person(shadow), operator(shadow)
    first = person.ask(ASKED, kept=True)
    assert person.ask(SAME, kept=True)["cache"]["state"] == "miss"
    lines = list[Any]()
    while not lines:
        lines = client.get("/api/semantic-cache/report").json()["items"]
    (line,) = lines
    assert (line["asked"], line["question"]) == (SAME, ASKED)
    assert line["would_have_said"] == first["answer"]
    assert line["said"]
    assert 0.7 <= line["similarity"] <= 1
    shown = client.get("/api/semantic-cache").json()
    assert (shown["mode"], shown["models"]) == ("off", {"smollm2:135m": "shadow"})
    off = make_person(make_semantic(semantic_cache_models={"smollm2:135m": "off"}))
    assert off.ask(ASKED)["cache"]["state"] == "miss"
    assert off.ask(SAME)["cache"]["state"] == "miss"
