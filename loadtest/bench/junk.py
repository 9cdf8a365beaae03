"""A flood of junk tokens at the token check, and what good callers notice of it.

Well-formed premium tokens with guessed checksums are offered as fast as one core sends them, over
many connections. Meanwhile good callers ask at a steady pace, as they did alone just before.
MongoDB must not be read at all; a relay before it counts, and is seen to count when a token with a
right checksum, which nobody issued either, is asked for first.

The token service has one core; MongoDB, Valkey, the flood and the good callers are on the other.
"""

from __future__ import annotations

import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from loadtest.bench import good_callers, junk_flood, load, own_process
from loadtest.bench.mongo_relay import MongoRelay
from tracemypods.contracts.tokens import ALPHABET, PREMIUM_PREFIX, SECRET_LENGTH, TokenKeys
from tracemypods.local import mongo, ports
from tracemypods.local.fleet import Fleet

TOKENS = 100
FLOOD_CONNECTIONS = load.CONNECTIONS


@dataclass(frozen=True)
class Round:
    """What good callers saw alone and during the flood, in milliseconds, and what the flood did."""

    alone_p99: float
    flooded_p99: float
    refused: int
    seconds: float

    @property
    def ratio(self) -> float:
        """How many times as long good callers waited."""
        return self.flooded_p99 / self.alone_p99


@dataclass(frozen=True)
class Junk:
    """The rounds, and how often MongoDB was read during all of their floods."""

    rounds: list[Round]
    reads: int


def measure(
    folder: Path, rounds: int, seconds: int, junk: int, tell: Callable[[str], None]
) -> Junk:
    """Share so many junk tokens among the rounds; before each flood, `seconds` without one.

    Raises RuntimeError when junk or good callers were answered anything but what they should.
    """
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(folder, parts=["redis", "mongo"]))
        relay = MongoRelay(stack, fleet.url("mongo"), _looks_for_burials)
        url = f"{_token_service(stack, folder, fleet, relay)}/api/token"
        for part in ("redis", "mongo"):
            load.pin(load.pid(fleet, part), load.OTHER_CORE)
        tokens = [httpx2.post(url).json()["token"] for _ in range(TOKENS)]
        _see_it_count(fleet, relay, url)
        reads = relay.reads
        done: list[Round] = []
        for number in range(rounds):
            callers = own_process.Running(good_callers.__name__, url, *tokens)
            time.sleep(seconds)
            alone = _p99(callers.result())
            flood = own_process.Running(
                junk_flood.__name__, url, str(junk // rounds), str(FLOOD_CONNECTIONS)
            )
            callers = own_process.Running(good_callers.__name__, url, *tokens)
            flooded = flood.result()
            during = _p99(callers.result())
            done.append(Round(alone, during, flooded["refused"], flooded["seconds"]))
            tell(f"  junk: round {number + 1} of {rounds}")
        return Junk(done, relay.reads - reads)


def _looks_for_burials(command: dict[str, Any]) -> bool:
    """The token service looks twice a second for tombstones that could not be written."""
    return "bury_pending" in command.get("filter", {})


def _token_service(stack: ExitStack, folder: Path, fleet: Fleet, relay: MongoRelay) -> str:
    """Start the fleet's token service in front of the relay; returns its URL."""
    port = ports.unused()
    log = stack.enter_context((folder / "token.log").open("wb"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tracemypods.token"],
        env={
            **fleet.environment("token"),
            mongo.URL_VARIABLE: relay.url,
            "TRACEMYPODS_PORT": str(port),
        },
        stdout=log,
        stderr=log,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}"
    load.wait_until_it_listens(url)
    load.pin(process.pid, load.SERVER_CORE)
    return url


def _see_it_count(fleet: Fleet, relay: MongoRelay, url: str) -> None:
    """Raise RuntimeError unless a token whose checksum is right has MongoDB read."""
    keys = TokenKeys(
        checksum_key=SecretStr(fleet.secret("token_checksum_key")),
        hash_key=SecretStr(fleet.secret("token_hash_key")),
    )
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    token = keys.with_checksum(PREMIUM_PREFIX + secret)
    reads = relay.reads
    answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 401 or relay.reads != reads + 1:
        raise RuntimeError(f"a read was not counted: {answer.status_code}, {relay.reads - reads}")


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000
