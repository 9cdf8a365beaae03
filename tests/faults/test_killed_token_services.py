"""Two replicas of the token service, killed and started again under load: no paid token is lost.

Orders are paid all the while. Each is asked for by two callers at once, as a caller does who tries
again, and each attempt goes to whichever replica is next.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx2
import pytest
from replicas import ORDER_KEY, token_replica

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import until

KILLS = 4
CALLERS = 4
BETWEEN_KILLS = 20
"""So many tokens are given out between two kills, so that each meets a service that works."""
RETRY_SECONDS = 0.1


class Till:
    """One replica, and those who call it."""

    def __init__(self, stack: ExitStack, replica: Replica) -> None:
        self.replica = stack.enter_context(replica)
        self._order = stack.enter_context(caller(replica.url, ORDER_KEY))

    def issue(self, order_id: str) -> httpx2.Response:
        """Ask for the token of an order that was paid."""
        return self._order.post("/internal/tokens", json={"order_id": order_id})

    def holds(self, token: str) -> bool:
        """Whether a token is valid."""
        answer = self._order.post("/api/validate-premium-token", json={"token": token})
        assert answer.status_code == 200
        return answer.json()["valid"]


@pytest.fixture
def tills(valkey: Valkey, mongo: Mongo) -> Iterator[list[Till]]:
    with ExitStack() as stack:
        yield [Till(stack, token_replica(valkey, mongo)) for _ in range(2)]


class Shop:
    """Callers who pay for one order after the other, and what each was told."""

    def __init__(self, tills: list[Till]) -> None:
        self.given: defaultdict[str, set[str]] = defaultdict(set)
        self.asked_for: set[str] = set()
        self.answers = 0
        self.failures = 0
        self.wrong: list[str] = []
        self._tills = itertools.cycle(tills)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def sell(self) -> None:
        """Pay for orders until the shop is closed. Every other call is for the same order."""
        while not self._closed.is_set():
            with self._lock:
                order_id = f"ord_{next(self._numbers) // 2}"
                till = next(self._tills)
                self.asked_for.add(order_id)
            try:
                answer = till.issue(order_id)
            except httpx2.TransportError:
                with self._lock:
                    self.failures += 1
                self._closed.wait(RETRY_SECONDS)
                continue
            with self._lock:
                if answer.status_code == 200:
                    self.answers += 1
                    self.given[order_id].add(answer.json()["token"])
                else:
                    self.wrong.append(answer.text)

    def await_answers(self) -> None:
        """Wait until some more tokens were given out."""
        enough = self.answers + BETWEEN_KILLS
        until(lambda: self.answers >= enough)

    def close(self) -> None:
        """Have everybody finish the call that they are in."""
        self._closed.set()


def check(tills: list[Till], order_id: str) -> str:
    """The token that an order is given now, by each replica, and that holds."""
    (token,) = {till.issue(order_id).json()["token"] for till in tills}
    assert all(till.holds(token) for till in tills)
    return token


@pytest.mark.impatient
@pytest.mark.parametrize("with_mongo", [False, True], ids=["alone", "with MongoDB"])
def test_no_paid_token_is_lost(tills: list[Till], mongo: Mongo, with_mongo: bool) -> None:
    shop = Shop(tills)
    with ThreadPoolExecutor(CALLERS) as pool:
        selling = [pool.submit(shop.sell) for _ in range(CALLERS)]
        try:
            for till in itertools.islice(itertools.cycle(tills), KILLS):
                shop.await_answers()
                failures = shop.failures
                till.replica.kill()
                if with_mongo:
                    mongo.kill()
                until(lambda failures=failures: shop.failures > failures)
                mongo.start()
                till.replica.start()
            shop.await_answers()
        finally:
            shop.close()
        for one in selling:
            one.result()

    # A MongoDB that is away is told by name; nothing else may go wrong.
    assert all("token_store_unavailable" in text for text in shop.wrong)
    assert with_mongo or not shop.wrong
    with ThreadPoolExecutor(CALLERS) as pool:
        orders = sorted(shop.asked_for)  # also those that nobody got an answer for
        for order_id, given in zip(
            orders, pool.map(lambda one: check(tills, one), orders), strict=True
        ):
            assert shop.given.get(order_id, {given}) == {given}
    with mongo.client() as client:
        stored = client[mongo.database]["premium_tokens"].count_documents({})
    assert stored == len(shop.asked_for)
