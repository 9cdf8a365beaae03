"""A semantic hit end to end: a question in other words, with 10,000 entries of the same caller; ask
against redisvl's SemanticCache in a plain FastAPI application.

Ask, embedding and vector share one core; the peer and its Redis run there as well when it is their
turn. The client, our Valkey and a model stub have the other. Our entries come into being as they do
in use: each question is asked once. The peer, which would answer most of these from its cache, is
given them. Then both are asked the same in other words, 20 a second, each once, so that no exact
cache has any of it, and at last what nobody has asked before.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from loadtest.bench import load, questions
from loadtest.bench.peers import redisvl_cache
from loadtest.bench.questions import Answered, Answerer
from loadtest.bench.upstream import TEXT, Upstream
from tracemypods.local.fleet import Fleet

OURS = "ask, embedding and vector"
REDISVL = "redisvl's SemanticCache in FastAPI"
ENTRIES = 10_000
PORTION = 1000
"""So many entries are made at a time."""
PER_SECOND = 20
WARMING = 100
"""So many of the entries are only asked for to warm up."""
NEAR_MISSES = 100

_MODEL = "smollm2:135m"


@dataclass(frozen=True)
class Round:
    """What became of the questions of one round."""

    milliseconds: list[float]
    """How long each answer took. Misses count: ask makes one of a look-up that takes too long."""
    hits: int
    wrong: int
    """Hits that were the answer to another question."""
    misses: int
    processor_seconds: float
    """Of the server's processes, user and system."""

    @property
    def processor_milliseconds(self) -> float:
        """Processor time of one answer."""
        return self.processor_seconds * 1000 / len(self.milliseconds)

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        """What one in a hundred exceeds."""
        return statistics.quantiles(self.milliseconds, n=100)[98]


@dataclass(frozen=True)
class Server:
    """Whom to ask, and the processes that answer on the servers' core."""

    answerer: Answerer
    pids: tuple[int, ...]

    def processor_seconds(self) -> float:
        """What its processes have used so far."""
        used = [psutil.Process(pid).cpu_times() for pid in self.pids]
        return sum(one.user + one.system for one in used)


@dataclass(frozen=True)
class Hits:
    """What became of all questions to one server."""

    rounds: list[Round]
    near_misses_answered: int
    """How many of those that nobody had asked before were answered from the cache all the same."""


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, Hits]:
    """Fill both caches, then ask for so many seconds in each round, interleaved.

    Raises RuntimeError when an answer was not a success, when a cache does not find what it has
    just been asked, or when the model was not asked exactly what the caches did not have.
    """
    with ExitStack() as stack:
        upstream = Upstream(stack, _MODEL)
        fleet = _fleet(stack, folder, upstream)
        theirs = redisvl_cache.start(stack, folder, upstream.url, _MODEL)
        ours = tuple(load.pid(fleet, part) for part in ("ask", "embedding", "vector"))
        for pid in (*ours, *theirs.pids):
            load.pin(pid, load.SERVER_CORE)
        load.pin(load.pid(fleet, "redis"), load.OTHER_CORE)
        token = httpx2.post(f"{fleet.url('token')}/api/token").json()["token"]
        servers = {
            OURS: Server(Answerer(fleet.url("ask"), {"Authorization": f"Bearer {token}"}), ours),
            REDISVL: Server(Answerer(theirs.url, {}), theirs.pids),
        }
        _fill_ours(folder, servers[OURS].answerer, tell)
        _fill_theirs(servers[REDISVL].answerer, tell)
        for name, server in servers.items():
            _warm_up(folder, name, server.answerer)
        done: dict[str, list[Round]] = {name: [] for name in servers}
        count = seconds * PER_SECOND
        for number in range(rounds):
            step = (ENTRIES - WARMING) // (rounds * count)
            asked = range(number * step, step * rounds * count, step * rounds)
            for name in list(servers)[:: 1 if number % 2 else -1]:
                done[name].append(_round(folder, servers[name], upstream, asked))
            tell(f"  semantic hit: round {number + 1} of {rounds}")
        unheard = list(map(in_other_words, range(ENTRIES, ENTRIES + NEAR_MISSES)))
        return {
            name: Hits(
                done[name],
                sum(
                    one.state == "semantic"
                    for one in questions.ask(folder, server.answerer, unheard)
                ),
            )
            for name, server in servers.items()
        }


def _fleet(stack: ExitStack, folder: Path, upstream: Upstream) -> Fleet:
    return stack.enter_context(
        Fleet(
            folder,
            parts=["redis", "mongo", "token", "ask", "embedding", "vector"],
            environment={
                "TRACEMYPODS_MODELS_URL": upstream.url,
                "TRACEMYPODS_ASK_CACHE_PER_TOKEN": str(2 * ENTRIES),
                # It counts the cores that it is started on.
                "TRACEMYPODS_EMBEDDING_THREADS": "1",
            },
        )
    )


def _fill_ours(folder: Path, server: Answerer, tell: Callable[[str], None]) -> None:
    for numbers in _portions():
        answered = questions.ask(folder, server, list(map(question, numbers)))
        if any(one.state != "miss" for one in answered):
            raise RuntimeError(f"{OURS} had an answer before it was asked")
        tell(f"  semantic hit: {numbers[-1] + 1} of {ENTRIES} entries in {OURS}")


def _fill_theirs(server: Answerer, tell: Callable[[str], None]) -> None:
    for numbers in _portions():
        entries = {"prompts": list(map(question, numbers)), "answer": TEXT}
        httpx2.put(f"{server.url}/api/entries", json=entries, timeout=120).raise_for_status()
        tell(f"  semantic hit: {numbers[-1] + 1} of {ENTRIES} entries in {REDISVL}")


def _portions() -> list[range]:
    return [range(first, first + PORTION) for first in range(0, ENTRIES, PORTION)]


def _warm_up(folder: Path, name: str, server: Answerer) -> None:
    """Ask for the last entries, as they were made: ours are written beside their answers."""
    last = list(map(in_other_words, range(ENTRIES - WARMING, ENTRIES)))
    answered = questions.ask(folder, server, last, PER_SECOND)
    if all(one.state != "semantic" for one in answered[-PER_SECOND:]):
        raise RuntimeError(f"{name} does not find what it was asked last")


def _round(folder: Path, server: Server, upstream: Upstream, asked: Sequence[int]) -> Round:
    calls, used = upstream.calls(), server.processor_seconds()
    prompts = list(map(in_other_words, asked))
    answered = questions.ask(folder, server.answerer, prompts, PER_SECOND)
    used = server.processor_seconds() - used
    hits = [one for one in answered if one.state == "semantic"]
    if not hits or upstream.calls() - calls != len(answered) - len(hits):
        raise RuntimeError(f"{server.answerer.url} does not say which of its answers were hits")
    return Round(
        milliseconds=[one.milliseconds for one in answered],
        hits=len(hits),
        wrong=_wrong(asked, answered),
        misses=len(answered) - len(hits),
        processor_seconds=used,
    )


def _wrong(asked: Sequence[int], answered: Sequence[Answered]) -> int:
    return sum(
        one.state == "semantic" and one.question != question(number)
        for number, one in zip(asked, answered, strict=True)
    )


def question(number: int) -> str:
    return f"How do I list the pods of node {number} in the namespace team-{number % 97}?"


def in_other_words(number: int) -> str:
    return f"How can I list pods of node {number} in the namespace team-{number % 97}?"
