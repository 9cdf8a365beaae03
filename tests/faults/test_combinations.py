"""docs/reliability.md, row by row: token and ask with every combination of backends in trouble.

Both services run in this process, over a Valkey and a MongoDB of this test's own and a model stub.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from pydantic import SecretStr

from tracemypods.ask.app import create_app as create_ask
from tracemypods.ask.settings import Settings as AskSettings
from tracemypods.kit.internal import EdgeKeys
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.app import create_app as create_token
from tracemypods.token.settings import Settings as TokenSettings

State = Literal["well", "stopped", "hung", "slow"]
CONFIG = Path(__file__).parents[2] / "config"
DERIVATION_KEY = SecretStr("derivation-key-of-the-tests-01234567")
ASK_KEY = SecretStr("edge-key-from-ask-to-token-012345678")
ORDER_KEY = SecretStr("edge-key-from-order-to-token-0123456")
SLOW_SECONDS = 0.3
# Not the tests' usual patience: what hangs is hung for ever, and the caller waits for all of it.
IMPATIENT = {"redis_answer_seconds": 1, "mongo_answer_seconds": 2}

STATES: tuple[State, ...] = ("well", "stopped", "hung", "slow")
ALL = list(itertools.product(STATES, STATES, STATES))
# In every run: each backend alone in each trouble, and what is most likely together. The whole
# product takes minutes of waiting for what hangs, so it is in `make test-long`.
USUAL: list[tuple[State, State, State]] = [
    ("well", "well", "well"),
    *[("stopped", "well", "well"), ("hung", "well", "well"), ("slow", "well", "well")],
    *[("well", "stopped", "well"), ("well", "hung", "well"), ("well", "slow", "well")],
    *[("well", "well", "stopped"), ("well", "well", "hung"), ("well", "well", "slow")],
    *[("well", "hung", "hung"), ("stopped", "stopped", "stopped"), ("slow", "slow", "slow")],
]


class World:
    """Both services, what they stand on, and one caller of each kind."""

    def __init__(self, stack: ExitStack, valkey: Valkey, mongo: Mongo, stub: ModelStub) -> None:
        self.valkey, self.mongo, self.stub = valkey, mongo, stub
        shared: dict[str, Any] = {
            "mode": "local",
            "token_checksum_key": CHECKSUM_KEY,
            "token_hash_key": HASH_KEY,
            "config_dir": CONFIG,
        }
        token_app = create_token(
            TokenSettings.model_validate(
                {
                    **shared,
                    **valkey.login("token"),
                    **mongo.login(),
                    **IMPATIENT,
                    "derivation_key": DERIVATION_KEY,
                }
            )
        )
        token_app.state.edge_keys = EdgeKeys({"ask": ASK_KEY, "order": ORDER_KEY})
        token_url = stack.enter_context(ServedApp(token_app)).url
        ask_app = create_ask(
            AskSettings.model_validate(
                {
                    **shared,
                    **valkey.login("ask"),
                    **IMPATIENT,
                    "models_url": stub.url,
                    "token_url": token_url,
                    "token_edge_key": ASK_KEY,
                    "silence_seconds": 0.2,
                    "probe_seconds": 0.5,
                }
            )
        )
        ask_url = stack.enter_context(ServedApp(ask_app)).url
        self.token = stack.enter_context(caller(token_url, None))
        self.free = stack.enter_context(caller(ask_url, self.get_free().json()["token"]))
        self.seen = stack.enter_context(caller(ask_url, self.issue("seen")))
        self.unseen = stack.enter_context(caller(ask_url, self.issue("unseen")))
        # Its record is copied to Redis now; the other one's is not.
        assert self.ask(self.seen) == "answered"

    def get_free(self) -> httpx2.Response:
        return self.token.post("/api/token")

    def issue(self, order_id: str) -> str:
        headers = {"Authorization": f"Bearer {ORDER_KEY.get_secret_value()}"}
        answer = self.token.post("/internal/tokens", json={"order_id": order_id}, headers=headers)
        return answer.json()["token"]

    def ask(self, person: httpx2.Client) -> str:
        """ "answered", or the code of the problem."""
        answer = person.post(
            "/api/ask", json={"prompt": "Hi?"}, headers={"Cache-Control": "no-store"}
        )
        return "answered" if answer.status_code == 200 else answer.json()["code"]

    def put(self, redis: State, mongo: State, models: State) -> Callable[[], None]:
        """Bring the backends into these states; returns what makes them well again."""
        slow = threading.Event()
        for server, state in ((self.valkey, redis), (self.mongo, mongo)):
            if state == "stopped":
                server.stop()
            elif state == "hung":
                server.pause()
        self.stub.fault = "hang" if models == "hung" else None
        self.stub.seconds_between = SLOW_SECONDS / 4 if models == "slow" else 0
        if models == "stopped":
            self.stub.stop()
        slowed = [
            server
            for server, state in ((self.valkey, redis), (self.mongo, mongo))
            if state == "slow"
        ]

        def stutter() -> None:
            while not slow.wait(SLOW_SECONDS / 3):
                for server in slowed:
                    server.pause()
                slow.wait(SLOW_SECONDS)
                for server in slowed:
                    server.resume()

        stuttering = threading.Thread(target=stutter, daemon=True)
        if slowed:
            stuttering.start()

        def heal() -> None:
            slow.set()
            if slowed:
                stuttering.join()
            for server in (self.valkey, self.mongo):
                server.resume()
                server.start()
            self.stub.fault, self.stub.seconds_between = None, 0
            if models == "stopped":
                self.stub.start()

        return heal


@pytest.fixture
def world(valkey: Valkey, mongo: Mongo) -> Iterator[World]:
    with ModelStub() as stub, ExitStack() as stack:
        yield World(stack, valkey, mongo, stub)


def away(state: State) -> bool:
    return state in ("stopped", "hung")


def check(world: World, redis: State, mongo: State, models: State) -> None:
    """Compare what happens with the table."""
    heal = world.put(redis, mongo, models)
    try:
        got = world.get_free()
        asked = {
            name: world.ask(person)
            for name, person in (
                ("free", world.free),
                ("seen", world.seen),
                ("unseen", world.unseen),
            )
        }
        listed = world.free.get("/api/models", headers={"Authorization": ""})
        alive = [world.token.get("/livez"), world.free.get("/livez")]
    finally:
        heal()
    store, model = {"token_store_unavailable"}, {"model_unavailable", "model_timeout"}
    expected = model if away(models) else {"answered"}
    if away(redis):
        expected = store
    assert got.status_code == (503 if away(redis) else 201)
    assert asked["free"] in expected
    assert asked["seen"] in expected
    assert asked["unseen"] in (store if away(redis) or away(mongo) else expected)
    assert listed.status_code in (200, 401)
    assert [answer.status_code for answer in alive] == [200, 200]
    recover(world)


def recover(world: World) -> None:
    """Everything works again, without a restart."""
    for person in (world.free, world.seen, world.unseen):
        while (said := world.ask(person)) != "answered":
            assert said in (
                "token_store_unavailable",
                "model_unavailable",
                "model_timeout",
                "model_busy",
            )


@pytest.mark.parametrize(("redis", "mongo_state", "models"), USUAL)
def test_the_table(world: World, redis: State, mongo_state: State, models: State) -> None:
    check(world, redis, mongo_state, models)


@pytest.mark.long
@pytest.mark.parametrize(
    ("redis", "mongo_state", "models"), [one for one in ALL if one not in USUAL]
)
def test_every_other_combination(
    world: World, redis: State, mongo_state: State, models: State
) -> None:
    check(world, redis, mongo_state, models)
