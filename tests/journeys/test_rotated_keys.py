"""Both keys of tokens are rotated while a fleet is in use, as an operator does it.

The old key moves to `…_previous`, a new one takes its place, and the fleet is started again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub

QUESTION = {"prompt": "Say hello."}
PARTS = ("redis", "mongo", "token", "ask", "gateway")
KEYS = ("token_hash_key", "token_derivation_key")


class Site:
    """A fleet of this test's own with a model stub, and its operator."""

    def __init__(self, fleet: Fleet, operator: httpx2.Client) -> None:
        self._fleet = fleet
        self._operator = operator
        self.url = fleet.url()

    def rotate(self, *names: str) -> None:
        """Rotate keys; what has them is restarted."""
        before = self._fleet.part("token").pid
        for name in names:
            file = self._fleet.data.secrets / f"tracemypods_{name}"
            file.with_name(f"{file.name}_previous").write_text(file.read_text())
            file.write_text(secrets.token_urlsafe(32))
        self._fleet.start()
        assert self._fleet.part("token").pid != before

    def free(self) -> str:
        """A new free token."""
        answer = self._operator.post("/api/token")
        assert answer.status_code == 201
        return answer.json()["token"]

    def issue(self, order_id: str) -> str:
        """The premium token of an order."""
        answer = self._operator.post("/api/tokens", json={"order_id": order_id, "days": 1})
        assert answer.status_code == 200
        return answer.json()["token"]

    def change(self, order_id: str, what: str, **fields: int) -> None:
        """Extend or revoke an order's token."""
        answer = self._operator.post(f"/api/tokens/{order_id}/{what}", json=fields or None)
        assert answer.status_code == 200

    def says(self, token: str) -> tuple[str, str]:
        """What the token service and ask say of a token: its plan and "answered", or a code."""
        with caller(self.url, token) as person:
            shown, answer = person.get("/api/token"), person.post("/api/ask", json=QUESTION)
        return (
            shown.json()["plan" if shown.status_code == 200 else "code"],
            "answered" if answer.status_code == 200 else answer.json()["code"],
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ModelStub() as stub:
        environment = {"TRACEMYPODS_MODELS_URL": stub.url}
        with (
            Fleet(tmp_path / "data", parts=PARTS, environment=environment) as fleet,
            caller(fleet.url(), fleet.secret("operator_key")) as operator,
        ):
            yield Site(fleet, operator)


FREE_HOLDS = ("free", "answered")
PREMIUM_HOLDS = ("premium", "answered")
REVOKED = ("token_revoked", "token_revoked")


def test_what_was_issued_before_goes_on_working(site: Site) -> None:
    free, seen, unseen = site.free(), site.issue("seen"), site.issue("unseen")
    assert site.says(free) == FREE_HOLDS
    assert site.says(seen) == PREMIUM_HOLDS  # the other one's record has no copy in Redis
    site.rotate(*KEYS)
    assert site.says(free) == FREE_HOLDS
    assert site.says(seen) == PREMIUM_HOLDS
    assert site.says(unseen) == PREMIUM_HOLDS
    assert site.says(site.free()) == FREE_HOLDS
    assert site.says(site.issue("new")) == PREMIUM_HOLDS


@pytest.mark.parametrize("names", [KEYS, *((name,) for name in KEYS)], ids="+".join)
def test_a_token_that_is_given_again_is_of_the_next_generation(
    site: Site, names: tuple[str, ...]
) -> None:
    old = {order_id: site.issue(order_id) for order_id in ("seen", "unseen")}
    assert site.says(old["seen"]) == PREMIUM_HOLDS
    site.rotate(*names)
    for order_id, before in old.items():
        again = site.issue(order_id)
        assert again != before
        assert site.says(before) == REVOKED
        assert site.says(again) == PREMIUM_HOLDS
        assert site.issue(order_id) == again
    # Once more, so that the keys of the first tokens are known to nobody.
    twice = {order_id: site.issue(order_id) for order_id in old}
    site.rotate(*names)
    for order_id, before in twice.items():
        assert site.says(before) == PREMIUM_HOLDS
        again = site.issue(order_id)
        assert site.says(old[order_id]) == REVOKED
        assert site.says(before) == REVOKED
        assert site.says(again) == PREMIUM_HOLDS


def test_an_order_whose_keys_are_forgotten_is_given_a_token_that_holds(site: Site) -> None:
    """Two rotations later the token itself is of no use any more, but what was paid for is."""
    old = site.issue("ord_1")
    assert site.says(old) == PREMIUM_HOLDS
    site.rotate(*KEYS)
    site.rotate(*KEYS)
    assert site.says(old) == REVOKED
    again = site.issue("ord_1")
    assert site.says(again) == PREMIUM_HOLDS
    assert site.says(old) == REVOKED


def test_old_tokens_are_extended_and_revoked(site: Site) -> None:
    old = {order_id: site.issue(order_id) for order_id in ("extended", "revoked")}
    assert {site.says(token) for token in old.values()} == {PREMIUM_HOLDS}
    site.rotate(*KEYS)
    site.change("extended", "extend", days=1)
    site.change("revoked", "revoke")
    assert site.says(old["extended"]) == PREMIUM_HOLDS
    assert site.says(old["revoked"]) == REVOKED


def test_nobody_is_turned_away_while_it_happens(site: Site) -> None:
    """Services that are being restarted may be away for a moment, but no token is refused."""
    tokens = [site.free(), site.issue("seen"), site.issue("unseen")]
    heard: set[str] = set()
    rounds = [0] * len(tokens)
    over = threading.Event()

    def use(number: int) -> None:
        while not over.is_set():
            heard.update(site.says(tokens[number]))
            rounds[number] += 1

    def await_rounds() -> None:
        """Wait until each token was used once more, from beginning to end."""
        enough = [count + 2 for count in rounds]
        while any(count < least for count, least in zip(rounds, enough, strict=True)):
            assert not any(one.done() for one in using)
            over.wait(0.01)

    with ThreadPoolExecutor(len(tokens)) as pool:
        using = [pool.submit(use, number) for number in range(len(tokens))]
        try:
            await_rounds()
            site.rotate(*KEYS)
            await_rounds()
        finally:
            over.set()
        for one in using:
            one.result()
    away = {"gateway_unavailable", "token_store_unavailable", "shutting_down"}
    assert heard - away == {"free", "premium", "answered"}
    assert [site.says(token) for token in tokens] == [FREE_HOLDS, PREMIUM_HOLDS, PREMIUM_HOLDS]
