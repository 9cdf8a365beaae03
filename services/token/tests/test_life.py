"""The life of tokens as a state machine: whatever happens in whatever order, a check is right.

Hypothesis makes up sequences of issues, checks, expiries, extensions, revocations and losses of
what Redis holds, and compares every check with a model of a few lines.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from token_store import NOW, Store

from tracemypods.contracts.tokens import record_key
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.burials import bury
from tracemypods.token.free import FreeTokens
from tracemypods.token.premium import OrderRevoked, OrderUnknown

ORDERS = st.sampled_from(["ord_1", "ord_2", "ord_3"])
FREE_SECONDS = 3600


class TokenLife(RuleBasedStateMachine):
    """The stores, and beside them what should be true."""

    def __init__(self, valkey: Valkey, mongo: Mongo) -> None:
        super().__init__()
        self.valkey, self.mongo = valkey, mongo
        self.runner = asyncio.Runner()
        self.tokens: dict[str, str] = {}
        self.ends: dict[str, float] = {}
        self.revoked: set[str] = set()
        self.free: dict[str, float] = {}
        self.seconds = 0.0

    @initialize()
    def open(self) -> None:
        self.valkey.command("FLUSHALL")
        self.mongo.use_new_database()
        self.store = Store(self.valkey, self.mongo)
        self.issuer = FreeTokens(
            self.store.redis, self.store.keys, self.store.clock, seconds=FREE_SECONDS, per_day=10**6
        )
        self.runner.run(self.store.premium.create_indexes())

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()

    @rule(order=ORDERS, days=st.integers(1, 3))
    def issue(self, order: str, days: int) -> None:
        try:
            token = self.runner.run(self.store.premium.issue(order, days)).token
        except OrderRevoked:
            assert order in self.revoked
            return
        assert order not in self.revoked
        assert self.tokens.setdefault(order, token) == token
        self.ends.setdefault(order, self.seconds + days * 86400)

    @rule()
    def issue_free(self) -> None:
        issued, _ = self.runner.run(self.issuer.issue("client"))
        assert issued is not None
        self.free[issued.token] = self.seconds + FREE_SECONDS

    @rule(order=ORDERS, days=st.integers(1, 3))
    def extend(self, order: str, days: int) -> None:
        try:
            extended = self.runner.run(self.store.premium.extend(order, days))
        except OrderUnknown:
            assert order not in self.tokens | dict.fromkeys(self.revoked)
        except OrderRevoked:
            assert order in self.revoked
        else:
            self.runner.run(self.store.lookup.forget(extended.hash))
            self.ends[order] = max(self.ends[order], self.seconds) + days * 86400

    @rule(order=ORDERS)
    def revoke(self, order: str) -> None:
        hashes = self.runner.run(self.store.premium.revoke(order, "a test"))
        self.runner.run(bury(self.store.premium, self.store.lookup, hashes))
        self.revoked.add(order)

    @rule(hours=st.sampled_from([0.5, 1, 12, 24, 48]))
    def time_passes(self, hours: float) -> None:
        self.seconds += hours * 3600
        self.store.clock.now = NOW + timedelta(seconds=self.seconds)

    @rule()
    def redis_is_emptied(self) -> None:
        self.valkey.command("FLUSHALL")
        self.free.clear()

    @rule(order=ORDERS)
    def a_copy_runs_out(self, order: str) -> None:
        if order in self.tokens:
            key = record_key(self.store.keys.keyed_hash(self.tokens[order]))
            self.runner.run(self._drop(key))

    async def _drop(self, key: str) -> None:
        await self.store.redis.delete(key)

    @invariant()
    def every_check_is_right(self) -> None:
        for order, token in self.tokens.items():
            if order in self.revoked:
                expected = "token_revoked"
            else:
                expected = "valid" if self.seconds < self.ends[order] else "token_expired"
            assert self.runner.run(self.store.code(token)) == expected
        for token, ends in self.free.items():
            expected = "valid" if self.seconds < ends else "token_expired"
            assert self.runner.run(self.store.code(token)) == expected


def test_the_life_of_tokens(valkey: Valkey, mongo: Mongo) -> None:
    class Machine(TokenLife):
        def __init__(self) -> None:
            super().__init__(valkey, mongo)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
