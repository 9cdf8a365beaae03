"""Sharing runs of the model: who waits with whom, who is refused, who is dropped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import pytest
from embedding_service import StubEngine, stub_vector
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from tracemypods.embedding.batching import Answer, Batcher, Limits, runs
from tracemypods.embedding.engines.engine import Prepared
from tracemypods.embedding.metrics import EmbeddingMetrics
from tracemypods.kit.errors import Unavailable

ResultT = TypeVar("ResultT")

LIMITS = Limits(texts=8, tokens=10_000, wait=0.002, queue=64, cache=0)


def with_batcher(
    test: Callable[[Batcher], Awaitable[ResultT]], engine: StubEngine, limits: Limits = LIMITS
) -> ResultT:
    """Run a test with a batcher that works."""

    async def whole() -> ResultT:
        batcher = Batcher(engine, limits, EmbeddingMetrics(CollectorRegistry()))
        batcher.start()
        try:
            async with asyncio.timeout(20):
                return await test(batcher)
        finally:
            await batcher.close()

    return asyncio.run(whole())


def changed(**fields: float) -> Limits:
    return Limits(**{**vars(LIMITS), **fields})


def test_what_arrives_together_shares_a_run() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        first, second = await asyncio.gather(batcher.embed(["a", "b"]), batcher.embed(["c"]))
        assert [one.vector.tolist() for one in first.found] == [
            stub_vector(text).tolist() for text in "ab"
        ]
        assert (first.batch, second.batch) == (3, 3)
        assert 0 < second.queue < 1

    with_batcher(test, engine)
    assert [sorted(run) for run in engine.runs] == [["a", "b", "c"]]


def test_equal_texts_are_worked_on_once() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        engine.may_go_on.clear()
        asked = [asyncio.create_task(batcher.embed(["same", "same", "other"])) for _ in range(5)]
        await engine.has_begun()  # who comes now joins the run
        asked.append(asyncio.create_task(batcher.embed(["same"])))
        await asyncio.sleep(0)  # it has asked
        engine.may_go_on.set()
        answers = await asyncio.gather(*asked)
        assert [len(answer.found) for answer in answers] == [3] * 5 + [1]
        assert answers[0].found[0] is answers[5].found[0]

    with_batcher(test, engine)
    assert [sorted(run) for run in engine.runs] == [["other", "same"]]


def test_a_full_run_does_not_wait_for_more() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> float:
        await batcher.embed([f"text {number}" for number in range(8)])
        return asyncio.get_running_loop().time()

    with_batcher(test, engine, changed(wait=30))
    assert [len(run) for run in engine.runs] == [8]


def test_recent_texts_are_remembered_up_to_a_number() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        for text in ("a", "b", "a", "c", "b", "a"):
            answer = await batcher.embed([text])
            assert answer.found[0].vector.tolist() == stub_vector(text).tolist()

    with_batcher(test, engine, changed(cache=2))
    # The third asks for what is remembered; "c" then pushes "b" out, and "b" pushes "a" out.
    assert [run for (run,) in engine.runs] == ["a", "b", "c", "b", "a"]


def test_a_full_queue_refuses_at_once() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        engine.may_go_on.clear()
        running = asyncio.create_task(batcher.embed(["runs"]))
        await engine.has_begun()
        waiting = asyncio.create_task(batcher.embed([f"waits {number}" for number in range(64)]))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await batcher.embed(["too much"])  # while nothing goes on
        assert (refused.value.code, refused.value.status) == ("embedding_busy", 503)
        assert "64" in refused.value.detail
        joined = asyncio.create_task(batcher.embed(["waits 3"]))  # adds nothing to the queue
        engine.may_go_on.set()
        for answer in await asyncio.gather(running, waiting, joined):
            assert answer.found

    with_batcher(test, engine)


def test_texts_of_callers_who_left_are_dropped() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        engine.may_go_on.clear()
        running = asyncio.create_task(batcher.embed(["runs"]))
        await engine.has_begun()
        leaving = asyncio.create_task(batcher.embed(["alone", "shared"]))
        staying = asyncio.create_task(batcher.embed(["shared"]))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        engine.may_go_on.set()
        await asyncio.gather(running, staying)
        again = await batcher.embed(["alone"])
        assert again.found[0].vector.tolist() == stub_vector("alone").tolist()

    with_batcher(test, engine)
    assert engine.runs == [["runs"], ["shared"], ["alone"]]


def test_callers_take_turns() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        engine.may_go_on.clear()
        running = asyncio.create_task(batcher.embed(["runs"]))
        await engine.has_begun()
        many = asyncio.create_task(batcher.embed([f"many {number}" for number in range(60)]))
        await asyncio.sleep(0)
        one = asyncio.create_task(batcher.embed(["one"]))
        await asyncio.sleep(0)
        engine.may_go_on.set()
        await one
        assert not many.done()
        await asyncio.gather(running, many)

    with_batcher(test, engine)


def test_a_failure_reaches_those_whom_it_concerns_only() -> None:
    engine = StubEngine()

    async def test(batcher: Batcher) -> None:
        engine.error = Unavailable("It is away.", code="embedding_api_down")
        failed = await asyncio.gather(
            batcher.embed(["a"]), batcher.embed(["b"]), return_exceptions=True
        )
        assert [getattr(one, "code", None) for one in failed] == ["embedding_api_down"] * 2
        engine.error = None
        assert (await batcher.embed(["a"])).found

    with_batcher(test, engine)


def test_several_runs_go_on_where_the_engine_takes_them() -> None:
    engine = StubEngine(parallel=3)

    async def test(batcher: Batcher) -> None:
        engine.may_go_on.clear()
        asked = list[asyncio.Task[Answer]]()
        for number in range(3):
            asked.append(asyncio.create_task(batcher.embed([f"text {number}"])))
            await engine.has_begun(number + 1)  # while those before it go on
        engine.may_go_on.set()
        await asyncio.gather(*asked)

    with_batcher(test, engine)


def prepared(*lengths: int) -> list[tuple[Prepared, None]]:
    return [(Prepared("x", length, False), None) for length in sorted(lengths)]


def lengths_of_runs(*lengths: int, **limits: float) -> list[list[int]]:
    return [[text.tokens for text, _ in run] for run in runs(prepared(*lengths), changed(**limits))]


def test_runs_hold_texts_of_about_one_length_within_the_budget() -> None:
    assert lengths_of_runs(5, 5, 6, 7) == [[5, 5, 6, 7]]
    assert lengths_of_runs(*[5] * 10) == [[5] * 8, [5] * 2]
    assert lengths_of_runs(5, 5, 250, 250) == [[5, 5], [250, 250]]
    assert lengths_of_runs(250, 250, 250, tokens=500) == [[250, 250], [250]]
    assert lengths_of_runs(250, tokens=100) == [[250]]
    assert lengths_of_runs() == []


Calls = st.lists(
    st.tuples(
        st.lists(st.sampled_from([f"{'w' * (n * n)} {n}" for n in range(12)]), min_size=1),
        st.integers(0, 4),  # turns of the loop before it comes
        st.one_of(st.none(), st.integers(0, 6)),  # turns after which it leaves
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(
    calls=Calls,
    seed=st.integers(0, 1000),
    batch=st.integers(1, 6),
    cache=st.sampled_from([0, 1, 100]),
    parallel=st.integers(1, 3),
)
def test_whoever_stays_gets_what_a_call_alone_would_get(
    calls: list[tuple[list[str], int, int | None]], seed: int, batch: int, cache: int, parallel: int
) -> None:
    """Under any interleaving: order, values, and nothing left behind."""
    chance = random.Random(seed)  # noqa: S311 - not a secret

    class Unsteady(StubEngine):
        async def embed(self, texts: list[Prepared]) -> np.ndarray:  # type: ignore[override]
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(0)
            return await super().embed(texts)

    async def call(batcher: Batcher, texts: list[str], turns: int, leaves: int | None) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        asking = asyncio.ensure_future(batcher.embed(texts))
        if leaves is not None:
            for _ in range(leaves):
                await asyncio.sleep(0)
            asking.cancel()
        try:
            answer = await asking
        except asyncio.CancelledError:
            return
        assert [one.vector.tolist() for one in answer.found] == [
            stub_vector(text).tolist() for text in texts
        ]

    async def test(batcher: Batcher) -> None:
        await asyncio.gather(*(call(batcher, *one) for one in calls))
        await batcher.embed(["last"])
        while batcher._pending:  # noqa: ASYNC110 - nothing may stay behind
            await asyncio.sleep(0)
        assert batcher._queue.size == 0

    engine = Unsteady(parallel=parallel)
    with_batcher(test, engine, changed(texts=batch, wait=0, queue=10_000, cache=cache))
    assert all(len(run) == len(set(run)) <= batch for run in engine.runs)
